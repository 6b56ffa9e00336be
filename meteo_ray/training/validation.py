"""The validation split through the model being trained."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial

import pyarrow as pa
import torch
from torch import nn

from meteo_ray.batch import Batch, concatenate
from meteo_ray.errors import UsageError
from meteo_ray.schema import VALIDATION
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.device import autocast
from meteo_ray.training.distributed import Workers
from meteo_ray.training.memory_guard import MemoryGuard
from meteo_ray.training.read_ahead import ReadAhead
from meteo_ray.training.ready_batches import BatchMaker, ReadyBatch
from meteo_ray.training.task import Task
from meteo_ray.training.training_rows import Stream
from meteo_ray.training.unreadable import UnreadableRows


class Validation:
    """Judges models on `rows` of the validation split.

    Args:
        guard: of its own, for validation needs another share of the memory than training: it decides how many rows are
            judged at once.
    """

    def __init__(
        self,
        task: Task,
        rows: pa.Table,
        stream: Stream,
        guard: MemoryGuard,
        settings: LoopSettings,
        device: torch.device,
        workers: Workers,
    ) -> None:
        self._task, self._rows, self._stream, self._workers = task, rows, stream, workers
        self._guard, self._make_ready = guard, BatchMaker(task, guard, device)
        self._settings, self._device = settings, device

    def outputs(self, model: nn.Module) -> tuple[Batch, UnreadableRows]:
        """`collect_outputs` of every row that can be read, and what is known of the others; each worker judges a part.

        Raises:
            UsageError: as `collect_outputs` does, and when too many rows cannot be read, or all.
        """
        unreadable = UnreadableRows(self._task.name, "validation", self._rows.num_rows, self._settings.max_unreadable)
        part = self._workers.part_of(self._rows)
        batches = self._stream(part, self._task.prepare(VALIDATION, 0), self._guard.micro_batch)
        with closing(ReadAhead(self._make_ready(batch) for batch in batches)) as ready:
            counted = _counted(ready, unreadable)
            outputs = collect_outputs(self._task, model, counted, self._guard, self._device, self._settings.precision)
        unreadable.join(self._workers)
        unreadable.tell()
        told = concatenate([outputs for outputs in self._workers.all_of(outputs) if outputs])
        if not told:
            raise UsageError(
                f"{self._task.name}: none of the validation images can be read; run jobs/prepare_data.py again"
            )
        return told, unreadable


def _counted(batches: Iterable[ReadyBatch], unreadable: UnreadableRows) -> Iterator[ReadyBatch]:
    for batch in batches:
        unreadable.add(batch.lost)
        yield batch


def collect_outputs(
    task: Task,
    model: nn.Module,
    batches: Iterable[ReadyBatch],
    guard: MemoryGuard,
    device: torch.device,
    precision: str,
) -> Batch:
    """`task.outputs` of every batch, joined in row order, none of no rows; the model is left in eval mode.

    Raises:
        UsageError: when one row alone does not fit into memory.
    """
    model.eval()
    parts: list[Batch] = []

    def answer(batch: ReadyBatch, micro_batch: int, found: list[Batch]) -> None:
        for _, tensors in batch.pieces(micro_batch):
            with autocast(device, precision):
                found.append(task.outputs(model, tensors))

    with torch.inference_mode():
        for batch in batches:
            found: list[Batch] = []
            guard.run(partial(answer, batch, found=found), found.clear)
            parts += found
    return concatenate(parts)
