"""One optimiser step: micro-batches accumulated, gradients averaged over the workers and clipped.

With several workers DistributedDataParallel wraps the task's loss. Each worker accumulates its micro-batches by itself,
however many they are, and computes them again in smaller pieces where memory runs out; then one backward pass that
adds nothing lets the wrapper average what has been accumulated. So a worker may run out of memory, or have no row of a
batch, while the others wait for it; the price is that gradients do not travel while others are still computed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from meteo_ray.training.config import LoopSettings
from meteo_ray.training.device import autocast
from meteo_ray.training.distributed import Workers
from meteo_ray.training.memory_guard import MemoryGuard
from meteo_ray.training.ready_batches import ReadyBatch, Tensors
from meteo_ray.training.step_results import StepResult
from meteo_ray.training.task import Loss, Phase, Progress, Task


class TaskLoss(nn.Module):
    """A task's loss as the forward pass of a module, which is all that DistributedDataParallel watches."""

    def __init__(self, task: Task, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self._task = task

    def forward(self, tensors: Tensors | None, progress: Progress) -> Loss | torch.Tensor:
        """The loss of a micro-batch; without one a 0 that depends on every parameter that is trained."""
        if tensors is not None:
            return self._task.loss(self.model, tensors, progress)
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        nothing: torch.Tensor = _Nothing.apply(*trained)
        return nothing


class _Nothing(torch.autograd.Function):
    """0, whose backward pass adds 0 to the gradients of all that it is given."""

    @staticmethod
    def forward(context: Any, *parameters: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(*parameters)
        return parameters[0].new_zeros(())

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
        # One number each, seen as many: gradients of zeros would take the memory of a second model.
        return tuple(parameter.new_zeros(()).expand_as(parameter) for parameter in context.saved_tensors)


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
        workers: Workers,
    ) -> None:
        self.optimizer, self.guard = optimizer, guard
        self.settings, self.device, self._workers = settings, device, workers
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self._loss = TaskLoss(task, model)
        self._shared: DistributedDataParallel | None = None
        self._phase: Phase | None = None

    def begin(self, phase: Phase) -> None:
        """Get ready for the parameters that `phase` trains, which want gradients by now."""
        if self._workers.count > 1 and phase != self._phase:
            self.optimizer.zero_grad(set_to_none=True)  # they lie in the memory of the wrapper before
            self._shared = None
            self._shared = DistributedDataParallel(self._loss, gradient_as_bucket_view=True)
            self._shared.broadcast_buffers = False  # `Learner.join` averages them; as an argument it is deprecated
        self._phase = phase

    def step(self, batch: ReadyBatch, progress: Progress) -> StepResult:
        """One optimiser step on a batch of any length. A gradient that is not finite shows in the result only."""
        losses: list[tuple[int, Loss]] = []
        rows = self._workers.total(len(batch))

        def undo() -> None:
            losses.clear()
            self.optimizer.zero_grad(set_to_none=True)

        undo()
        with self._not_shared():
            self.guard.run(lambda micro: self._accumulate(batch, micro, rows, progress, losses), undo)
        if self._shared is not None:
            self._shared(None, progress).backward()
        norm = nn.utils.clip_grad_norm_(self._parameters, self.settings.clip_norm)
        norm = norm.to(self.device)  # of a batch without a row that can be read it is a zero on the CPU
        self.optimizer.step()
        self.guard.after_step()
        rate = max(group["lr"] for group in self.optimizer.param_groups)
        own = np.array(batch.rows["row"])  # a copy: the batch's own would hold its images in shared memory
        return StepResult(progress, own, losses, norm, rate)

    @contextmanager
    def _not_shared(self) -> Iterator[None]:
        if self._shared is None:
            yield
            return
        with self._shared.no_sync():
            yield

    def _accumulate(
        self, batch: ReadyBatch, micro_batch: int, rows: int, progress: Progress, losses: list[tuple[int, Loss]]
    ) -> None:
        """Of a batch that has so many `rows` in all workers; their mean, which is taken later, is that of the rows."""
        module = self._loss if self._shared is None else self._shared
        for count, tensors in batch.pieces(micro_batch):
            with autocast(self.device, self.settings.precision):
                loss: Loss = module(tensors, progress)
            (loss.total * (count * self._workers.count / rows)).backward()
            losses.append((count, Loss(loss.total.detach(), loss.parts, loss.rows)))
