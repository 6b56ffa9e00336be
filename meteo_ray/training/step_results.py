"""What the steps of an epoch leave: means, row losses, the progress line. Read from the device in groups.

Asking a GPU for a number makes the process wait until everything before it is computed, and the GPU wait for what
comes next; so steps leave their numbers where they are.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter

import numpy as np
import torch

from meteo_ray.errors import UsageError
from meteo_ray.progress import ProgressLine
from meteo_ray.training.distributed import Workers, added
from meteo_ray.training.task import Loss, Progress

# Numbers are read after this many steps, or seconds where steps are long: then waiting for one costs little.
READ_STEPS, READ_S = 20, 5.0


@dataclass(frozen=True)
class StepResult:
    """One optimiser step: rows `(rows,)` of the training table, and each micro-batch's size and detached loss."""

    progress: Progress
    rows: np.ndarray
    losses: Sequence[tuple[int, Loss]]
    gradient_norm: torch.Tensor
    learning_rate: float

    def numbers(self) -> list[torch.Tensor]:
        """The gradient norm; then of every micro-batch the loss and its parts."""
        return [self.gradient_norm, *(n for _, loss in self.losses for n in (loss.total, *loss.parts.values()))]

    def names(self) -> list[tuple[int, str]]:
        """Size and name behind each of `numbers` but the first."""
        return [(count, name) for count, loss in self.losses for name in ("loss", *loss.parts)]


class EpochResults:
    """Adds up an epoch's steps.

    Args:
        label: of the progress line and of errors.
        draws: rows that the epoch draws.
        stage: for errors.
    """

    def __init__(self, label: str, draws: int, stage: str) -> None:
        self.rows = 0
        self.steps = 0
        self._stage, self._sums, self._norm_sum = stage, dict[str, float](), 0.0
        self._pending: list[StepResult] = []
        self._row_losses: list[tuple[int, np.ndarray, torch.Tensor]] = []
        self._read_at = time.monotonic()
        self._line = ProgressLine(label, draws, unit="rows")

    def add(self, result: StepResult, data_wait_s: float) -> None:
        """Account for one step; `data_wait_s` is how long the epoch has waited for its data so far.

        Raises:
            UsageError: when the gradient of this step, or of one not read yet, is not finite.
        """
        self.rows += len(result.rows)
        self.steps += 1
        self._pending.append(result)
        if result.losses and all(loss.rows is not None for _, loss in result.losses):
            parts = [loss.rows.float() for _, loss in result.losses if loss.rows is not None]
            self._row_losses.append((self.steps, result.rows, torch.cat(parts)))
        if len(self._pending) >= READ_STEPS or time.monotonic() - self._read_at >= READ_S:
            self.read(data_wait_s)

    def read(self, data_wait_s: float) -> None:
        """Read what the steps since the last time have left. Raises UsageError as `add` does."""
        if not self._pending:
            return
        numbers = [number.detach().double() for result in self._pending for number in result.numbers()]
        values = iter(torch.stack(numbers).cpu().tolist())
        rows, loss_sum = 0, 0.0
        for result in self._pending:
            norm = next(values)
            self._require_number(norm, result.progress)
            self._norm_sum += norm
            for (count, name), value in zip(result.names(), values, strict=False):
                self._sums[name] = self._sums.get(name, 0.0) + count * value
                loss_sum += count * value if name == "loss" else 0.0
            rows += len(result.rows)
        self._line.update(
            rows, loss=loss_sum / max(rows, 1), lr=self._pending[-1].learning_rate, data_wait_s=data_wait_s
        )
        self._pending, self._read_at = [], time.monotonic()

    def join(self, workers: Workers) -> None:
        """Account for the other workers' rows too, once all steps are read; gradients are the same in all of them."""
        if workers.count == 1:
            return
        own = [(step, rows, losses.cpu()) for step, rows, losses in self._row_losses]
        told = workers.all_of((self.rows, self._sums, own))
        self.rows, self._sums = sum(rows for rows, _, _ in told), added(sums for _, sums, _ in told)
        self._row_losses = sorted(chain.from_iterable(losses for _, _, losses in told), key=itemgetter(0))

    def means(self) -> dict[str, float]:
        """Of the loss, its parts and the gradient norm, over what was read."""
        means = {f"train/{name}": value / max(self.rows, 1) for name, value in self._sums.items()}
        return {**means, "train/gradient_norm": self._norm_sum / max(self.steps, 1)}

    def enter_row_losses(self, row_loss: np.ndarray) -> None:
        """Write the rows' losses into `row_loss`, float32 `(all rows,)`; of a row drawn twice the later one stays."""
        if self._row_losses:
            rows = np.concatenate([rows for _, rows, _ in self._row_losses])
            row_loss[rows] = torch.cat([losses for _, _, losses in self._row_losses]).cpu().numpy()

    def close(self) -> None:
        """The closing progress line."""
        self._line.close()

    def _require_number(self, norm: float, progress: Progress) -> None:
        if not np.isfinite(norm):
            raise UsageError(
                f"{self._stage}: the loss is no longer a number (epoch {progress.epoch + 1}, step {progress.step}); "
                "lower the learning rates, or use --training.precision fp32"
            )
