"""One optimiser step: micro-batches accumulated, gradients averaged and clipped; and the sums of an epoch."""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from meteo_ray.batch import Batch
from meteo_ray.errors import UsageError
from meteo_ray.progress import ProgressLine
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.device import autocast, to_device
from meteo_ray.training.distributed import average_gradients
from meteo_ray.training.memory_guard import MemoryGuard
from meteo_ray.training.task import Loss, Progress, Task

logger = logging.getLogger("meteo_ray")


class EpochTotals:
    """Means over an epoch's rows and steps, and its progress line."""

    def __init__(self, label: str, total_rows: int) -> None:
        self.rows = 0
        self.steps = 0
        self._sums: dict[str, float] = {}
        self._norm_sum = 0.0
        self._line = ProgressLine(label, total_rows, unit="rows")

    def add(self, rows: int, sums: dict[str, float], gradient_norm: float, learning_rate: float) -> None:
        """Account for one step; `sums` are row-weighted sums of the loss and its parts."""
        self.rows += rows
        self.steps += 1
        self._norm_sum += gradient_norm
        for name, value in sums.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._line.update(rows, loss=sums["loss"] / max(rows, 1), lr=learning_rate)

    def means(self) -> dict[str, float]:
        means = {f"train/{name}": value / max(self.rows, 1) for name, value in self._sums.items()}
        return {**means, "train/gradient_norm": self._norm_sum / max(self.steps, 1)}

    def close(self) -> None:
        self._line.close()


class Stepper:
    """Turns prepared batches into optimiser steps."""

    def __init__(
        self,
        task: Task,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        guard: MemoryGuard,
        settings: LoopSettings,
        device: torch.device,
        world_size: int,
    ) -> None:
        self.task, self.model, self.optimizer, self.guard = task, model, optimizer, guard
        self.settings, self.device, self.world_size = settings, device, world_size
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def step(self, batch: Batch, progress: Progress, totals: EpochTotals, row_loss: np.ndarray) -> None:
        """One optimiser step on a batch of any length; the rows' losses are entered into `row_loss` in place.

        Raises:
            UsageError: when the gradient is not finite any more.
        """
        losses: list[tuple[int, Loss]] = []

        def undo() -> None:
            losses.clear()
            self.optimizer.zero_grad(set_to_none=True)

        undo()
        self.guard.run(lambda micro: self._accumulate(batch, micro, progress, losses), undo)
        average_gradients(self._parameters, self.world_size)
        norm = float(nn.utils.clip_grad_norm_(self._parameters, self.settings.clip_norm))
        if not np.isfinite(norm):
            raise UsageError(
                f"{self.task.name}: the loss is no longer a number (epoch {progress.epoch + 1}, step {progress.step}); "
                "lower the learning rates, or use --training.precision fp32"
            )
        self.optimizer.step()
        self.guard.after_step()
        _enter_row_losses(batch, losses, row_loss)
        totals.add(len(batch["row"]), _sums(losses), norm, max(g["lr"] for g in self.optimizer.param_groups))

    def _accumulate(self, batch: Batch, micro_batch: int, progress: Progress, losses: list[tuple[int, Loss]]) -> None:
        rows = len(batch["row"])
        for start in range(0, rows, micro_batch):
            piece = {name: column[start : start + micro_batch] for name, column in batch.items()}
            count = len(piece["row"])
            tensors = to_device(self.task.collate(piece), self.device)
            with autocast(self.device, self.settings.precision):
                loss = self.task.loss(self.model, tensors, progress)
            (loss.total * (count / rows)).backward()
            losses.append((count, Loss(loss.total.detach(), loss.parts, loss.rows)))


def _sums(losses: Sequence[tuple[int, Loss]]) -> dict[str, float]:
    sums: dict[str, float] = {"loss": 0.0}
    for count, loss in losses:
        sums["loss"] += count * float(loss.total)
        for name, value in loss.parts.items():
            sums[name] = sums.get(name, 0.0) + count * float(value)
    return sums


def _enter_row_losses(batch: Batch, losses: Sequence[tuple[int, Loss]], row_loss: np.ndarray) -> None:
    if losses and all(loss.rows is not None for _, loss in losses):
        values = torch.cat([loss.rows.float().cpu() for _, loss in losses if loss.rows is not None])
        row_loss[batch["row"]] = values.numpy()
