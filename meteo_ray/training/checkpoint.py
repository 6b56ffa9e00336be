"""What a run needs to go on where it stopped: plain files, no pickle.

model.safetensors, average.safetensors where weights are averaged, optimizer.safetensors (its tensors under
`state.{parameter}.{name}`) and run.json. The generators are not saved: they are seeded from (seed, epoch) at every
epoch's start, and checkpoints lie between epochs.

A checkpoint is written before its epoch is validated, so that a validation that fails costs no training. What
validation told then stands in the run's folder, in validated.json.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from meteo_ray.errors import UsageError
from meteo_ray.files import write_atomically

MODEL, AVERAGE, OPTIMIZER, RUN = "model.safetensors", "average.safetensors", "optimizer.safetensors", "run.json"
VALIDATED = "validated.json"


@dataclass
class RunState:
    """Where a run stands after `epochs_done` epochs; `unvalidated` is the last one's entry until it is validated."""

    epochs_done: int = 0
    steps_done: int = 0
    best_metric: float | None = None
    best_epoch: int | None = None
    epochs_without_gain: int = 0
    micro_batch: int | None = None
    finished: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)
    unvalidated: dict[str, Any] | None = None


def save(
    folder: Path,
    model: dict[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
    state: RunState,
    row_loss: np.ndarray | None,
) -> None:
    """Write a checkpoint into an existing folder. `row_loss` is `Feedback.row_loss`, float32 `(rows,)`."""
    save_file(_plain(model), folder / MODEL)
    tensors = {
        f"state.{parameter}.{name}": value
        for parameter, entries in optimizer.state_dict()["state"].items()
        for name, value in entries.items()
        if isinstance(value, torch.Tensor)
    }
    if row_loss is not None:
        tensors["row_loss"] = torch.from_numpy(row_loss)
    save_file(_plain(tensors), folder / OPTIMIZER)
    (folder / RUN).write_text(json.dumps(asdict(state), indent=2), "utf-8")


def save_validated(run: Path, state: RunState) -> None:
    """Note in a run's folder what the validation of its latest checkpoint's epoch told."""
    write_atomically(run / VALIDATED, json.dumps(asdict(state), indent=2))


def forget_validated(run: Path) -> None:
    """Of a run that begins from the start."""
    (run / VALIDATED).unlink(missing_ok=True)


def load_state(folder: Path, run: Path) -> RunState:
    """The state of a checkpoint, and of its validation where that was done before the run was interrupted."""
    state, validated = RunState(**json.loads((folder / RUN).read_text("utf-8"))), run / VALIDATED
    if validated.is_file():
        later = RunState(**json.loads(validated.read_text("utf-8")))
        if later.epochs_done == state.epochs_done:
            return later
    return state


def save_model(folder: Path, model: dict[str, torch.Tensor], name: str = MODEL) -> None:
    """Only the weights, written beside and renamed: a kill leaves the previous ones."""
    scratch = folder / f".{name}.new"
    save_file(_plain(model), scratch)
    os.replace(scratch, folder / name)


def load_model(folder: Path, name: str = MODEL) -> dict[str, torch.Tensor]:
    tensors = _read(folder / name)
    return tensors


def load_optimizer(folder: Path, optimizer: torch.optim.Optimizer) -> np.ndarray | None:
    """Restore the optimizer in place; `row_loss` comes back."""
    tensors = _read(folder / OPTIMIZER)
    row_loss = tensors.pop("row_loss", None)
    entries: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        _, parameter, name = key.split(".", 2)
        entries.setdefault(int(parameter), {})[name] = tensor
    document = optimizer.state_dict()
    document["state"] = entries
    optimizer.load_state_dict(document)
    _as_parameters_lie(optimizer)
    return None if row_loss is None else row_loss.numpy()


def _as_parameters_lie(optimizer: torch.optim.Optimizer) -> None:
    """Give moments the memory order of their parameters: the fused step reads both in the order in which they lie, and
    files hold neither channels_last nor any other."""
    for parameter, entries in optimizer.state.items():
        for name, value in entries.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                entries[name] = torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)


def _read(file: Path) -> dict[str, torch.Tensor]:
    """Raises UsageError when the file is damaged."""
    try:
        tensors: dict[str, torch.Tensor] = load_file(file)
        return tensors
    except SafetensorError as error:
        raise UsageError(f"{file}: damaged: {error}; give --fresh to start this training anew") from None


def _plain(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Contiguous CPU copies: safetensors refuses shared memory, such as tied embeddings have."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
