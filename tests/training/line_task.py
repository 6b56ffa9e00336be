"""The smallest real task: a line through points. No images, no charts; it shows that the loop needs neither."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from safetensors.torch import save_file
from torch import nn

from meteo_ray import bundle
from meteo_ray.batch import Batch
from meteo_ray.training.task import Feedback, Loss, Phase, Prepare, Progress, Task

INPUTS = 3


def points(seed: int = 0, train: int = 40, validation: int = 16) -> pa.Table:
    """Noisy points of the plane y = 2 a - b + 0.5."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(train + validation, INPUTS)).astype(np.float32)
    y = x @ np.array([2.0, -1.0, 0.0], dtype=np.float32) + 0.5
    splits = ["train"] * train + ["validation"] * validation
    return pa.table({"x": list(x), "y": y, "split": splits})


def _prepare(batch: Batch) -> Batch:
    return {**batch, "ok": np.ones(len(batch["y"]), dtype=bool)}


class LineTask(Task):
    name = "line"
    watch = "negative_error"

    def __init__(self, epochs: tuple[int, int] = (1, 3), seed: int = 0) -> None:
        self.epochs, self.seed = epochs, seed

    def rows(self, index: pa.Table, split: str) -> pa.Table:
        return index.filter(pa.compute.equal(index["split"], split))

    def order(self, rows: pa.Table, epoch: int, feedback: Feedback | None) -> np.ndarray:
        return np.random.default_rng([self.seed, epoch]).permutation(rows.num_rows)

    def prepare(self, split: str, epoch: int) -> Prepare:
        return _prepare

    def collate(self, batch: Batch) -> dict[str, torch.Tensor]:
        x = torch.tensor(np.stack(list(batch["x"])).astype(np.float32))
        return {"x": x, "y": torch.tensor(np.asarray(batch["y"], dtype=np.float32))}

    def build(self) -> nn.Module:
        return nn.ModuleDict({"body": nn.Linear(INPUTS, 4), "norm": nn.BatchNorm1d(4), "head": nn.Linear(4, 1)})

    def parameter_groups(self, model: nn.Module) -> Mapping[str, nn.Module | list[nn.Parameter]]:
        return {"body": nn.ModuleList([model["body"], model["norm"]]), "head": model["head"]}

    def phases(self) -> list[Phase]:
        return [
            Phase("head", self.epochs[0], {"head": 1e-2}),
            Phase("all", self.epochs[1], {"body": 1e-2, "head": 1e-2}),
        ]

    def _predict(self, model: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return model["head"](model["norm"](model["body"](x)))[:, 0]

    def loss(self, model: nn.Module, batch: dict[str, torch.Tensor], progress: Progress) -> Loss:
        rows = (self._predict(model, batch["x"]) - batch["y"]) ** 2
        return Loss(rows.mean(), {"squared": rows.mean().detach()}, rows.detach())

    def outputs(self, model: nn.Module, batch: dict[str, torch.Tensor]) -> Batch:
        return {"prediction": self._predict(model, batch["x"]).numpy(), "target": batch["y"].numpy()}

    def metrics(self, outputs: Batch) -> dict[str, float]:
        return {self.watch: -float(np.mean((outputs["prediction"] - outputs["target"]) ** 2))}

    def export(self, model: nn.Module, outputs: Batch, folder: Path) -> dict[str, Any]:
        save_file(model.state_dict(), folder / bundle.WEIGHTS)
        return self.metrics(outputs)


def stream(rows: pa.Table, prepare: Callable[[Batch], Batch], batch_size: int) -> Iterator[Batch]:
    """`streaming.stream.stream` without Ray."""
    for start in range(0, rows.num_rows, batch_size):
        piece = rows.slice(start, batch_size)
        columns = {name: np.array(piece[name].to_pylist(), dtype=object) for name in ("x",)}
        columns |= {n: piece[n].to_numpy(zero_copy_only=False) for n in piece.column_names if n != "x"}
        yield prepare(columns)


class FolderHost:
    """Keeps checkpoints in a folder, as Ray Train does on its storage."""

    rank, world_size = 0, 1

    def __init__(self, folder: Path, stop_after: int | None = None) -> None:
        self.folder, self.stop_after, self.reports = folder, stop_after, 0

    def latest_checkpoint(self) -> Path | None:
        found = sorted(self.folder.glob("checkpoint_*"))
        return found[-1] if found else None

    def report(self, metrics: dict[str, Any], write_checkpoint: Callable[[Path], None]) -> None:
        folder = self.folder / f"checkpoint_{metrics['epoch']:03d}"
        folder.mkdir(parents=True)
        write_checkpoint(folder)
        self.reports += 1
        if self.reports == self.stop_after:
            raise KeyboardInterrupt

    def validated(self, entry: dict[str, Any]) -> None:
        pass
