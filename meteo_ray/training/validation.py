"""The validation split through the model being trained."""

from collections.abc import Iterable
from contextlib import closing

import pyarrow as pa
import torch
from torch import nn

from meteo_ray.batch import Batch, concatenate
from meteo_ray.errors import UsageError
from meteo_ray.schema import VALIDATION
from meteo_ray.training.device import autocast
from meteo_ray.training.memory_guard import MemoryGuard
from meteo_ray.training.read_ahead import ReadAhead
from meteo_ray.training.ready_batches import BatchMaker, ReadyBatch
from meteo_ray.training.task import Task
from meteo_ray.training.training_rows import Stream


class Validation:
    """Judges models on `rows` of the validation split, in micro-batches of the size that `guard` allows."""

    def __init__(
        self,
        task: Task,
        rows: pa.Table,
        stream: Stream,
        guard: MemoryGuard,
        make_ready: BatchMaker,
        device: torch.device,
        precision: str,
    ) -> None:
        self._task, self._rows, self._stream = task, rows, stream
        self._guard, self._make_ready = guard, make_ready
        self._device, self._precision = device, precision

    def outputs(self, model: nn.Module) -> Batch:
        """`collect_outputs` of every row that can be read."""
        batches = self._stream(self._rows, self._task.prepare(VALIDATION, 0), self._guard.micro_batch)
        with closing(ReadAhead(self._make_ready(batch) for batch in batches)) as ready:
            return collect_outputs(self._task, model, ready, self._device, self._precision)


def collect_outputs(
    task: Task, model: nn.Module, batches: Iterable[ReadyBatch], device: torch.device, precision: str
) -> Batch:
    """`task.outputs` of every batch, joined in row order; the model is left in eval mode.

    Raises:
        UsageError: when not a single row could be read.
    """
    model.eval()
    parts = []
    with torch.inference_mode():
        for batch in batches:
            for _, tensors in batch.pieces():
                with autocast(device, precision):
                    parts.append(task.outputs(model, tensors))
    if not parts:
        raise UsageError(f"{task.name}: none of the validation images can be read; run jobs/prepare_data.py again")
    return concatenate(parts)
