"""Prepared rows -> tensors on the device, made in the thread that reads ahead: training finds them there.

Copies to a GPU go through pinned memory on a stream of their own (R7), beside what is being computed.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch

from meteo_ray.batch import Batch
from meteo_ray.training.memory_guard import MemoryGuard
from meteo_ray.training.task import Task
from meteo_ray.training.unreadable import split_readable

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Arriving:
    """Tensors that are on their way to the device."""

    tensors: Tensors
    event: torch.cuda.Event | None = None
    """Passed when they are there; None where there was no way to go."""

    def wait(self) -> Tensors:
        """The tensors, for the stream that computes: it waits for them, the caller does not."""
        if self.event is not None:
            computing = torch.cuda.current_stream(next(iter(self.tensors.values())).device)
            computing.wait_event(self.event)
            for tensor in self.tensors.values():
                tensor.record_stream(computing)  # their memory is not given away while it may still be read there
        return self.tensors


class Transfer:
    """Copies batches to `device` on a stream of its own; on a CPU they stay where they are."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def __call__(self, tensors: Tensors) -> Arriving:
        if self._stream is None or not tensors:
            return Arriving(tensors)
        with torch.cuda.stream(self._stream):
            there = {name: tensor.pin_memory().to(self._device, non_blocking=True) for name, tensor in tensors.items()}
            event = torch.cuda.Event()
            event.record(self._stream)
        return Arriving(there, event)


class ReadyBatch:
    """The rows of a batch that could be read, cut into micro-batches, collated and on their way to the device.

    `lost` are the others.
    """

    def __init__(self, task: Task, prepared: Batch, micro_batch: int, transfer: Transfer) -> None:
        rows, self.lost = split_readable(prepared)
        self.rows = rows
        self._task, self._micro_batch, self._transfer = task, micro_batch, transfer
        self._pieces: list[Arriving] | None = None
        with suppress(torch.OutOfMemoryError):  # then they are made one by one, where the memory guard can help
            self._pieces = [transfer(task.collate(piece)) for piece in _cut(rows, micro_batch)]

    @classmethod
    def empty(cls, task: Task) -> "ReadyBatch":
        """One without rows."""
        nothing = {"ok": np.zeros(0, dtype=bool), "row": np.zeros(0, dtype=np.int64)}
        return cls(task, nothing, 1, Transfer(torch.device("cpu")))

    def __len__(self) -> int:
        return len(self.rows["ok"])

    def pieces(self, micro_batch: int | None = None) -> Iterator[tuple[int, Tensors]]:
        """Rows and tensors of every micro-batch; made anew where they are to be of another size by now."""
        micro_batch = micro_batch or self._micro_batch
        if self._pieces is None or micro_batch != self._micro_batch:
            self._pieces = None  # their memory is wanted
            for piece in _cut(self.rows, micro_batch):
                yield len(piece["ok"]), self._transfer(self._task.collate(piece)).wait()
            return
        for piece, arriving in zip(_cut(self.rows, micro_batch), self._pieces, strict=True):
            yield len(piece["ok"]), arriving.wait()


class BatchMaker:
    """Makes batches ready for `task` in the sizes that `guard` allows at the moment."""

    def __init__(self, task: Task, guard: MemoryGuard, device: torch.device) -> None:
        self._task, self._guard, self._transfer = task, guard, Transfer(device)

    def __call__(self, rows: Batch) -> ReadyBatch:
        return ReadyBatch(self._task, rows, self._guard.micro_batch, self._transfer)


def _cut(rows: Batch, size: int) -> Iterator[Batch]:
    for start in range(0, len(rows["ok"]), size):
        yield {name: column[start : start + size] for name, column in rows.items()}
