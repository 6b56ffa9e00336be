"""One optimiser step: micro-batches accumulated, gradients averaged and clipped."""

import numpy as np
import torch
from torch import nn

from meteo_ray.training.config import LoopSettings
from meteo_ray.training.device import autocast
from meteo_ray.training.distributed import average_gradients
from meteo_ray.training.memory_guard import MemoryGuard
from meteo_ray.training.ready_batches import ReadyBatch
from meteo_ray.training.step_results import StepResult
from meteo_ray.training.task import Loss, Progress, Task


class Stepper:
    """Turns batches into optimiser steps, without waiting for what they compute."""

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

    def step(self, batch: ReadyBatch, progress: Progress) -> StepResult:
        """One optimiser step on a batch of any length. A gradient that is not finite shows in the result only."""
        losses: list[tuple[int, Loss]] = []

        def undo() -> None:
            losses.clear()
            self.optimizer.zero_grad(set_to_none=True)

        undo()
        self.guard.run(lambda micro: self._accumulate(batch, micro, progress, losses), undo)
        average_gradients(self._parameters, self.world_size)
        norm = nn.utils.clip_grad_norm_(self._parameters, self.settings.clip_norm)
        norm = norm.to(self.device)  # of a batch without a row that can be read it is a zero on the CPU
        self.optimizer.step()
        self.guard.after_step()
        rate = max(group["lr"] for group in self.optimizer.param_groups)
        rows = np.array(batch.rows["row"])  # a copy: the batch's own would hold its images in shared memory
        return StepResult(progress, rows, losses, norm, rate)

    def _accumulate(
        self, batch: ReadyBatch, micro_batch: int, progress: Progress, losses: list[tuple[int, Loss]]
    ) -> None:
        for count, tensors in batch.pieces(micro_batch):
            with autocast(self.device, self.settings.precision):
                loss = self.task.loss(self.model, tensors, progress)
            (loss.total * (count / len(batch))).backward()
            losses.append((count, Loss(loss.total.detach(), loss.parts, loss.rows)))
