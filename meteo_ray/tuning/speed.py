"""How fast a network answers: for sweeps in which quality and speed conflict."""

import time

import pyarrow as pa
import torch
from torch import nn

from meteo_ray.schema import VALIDATION
from meteo_ray.training.memory_guard import MemoryGuard
from meteo_ray.training.ready_batches import ReadyBatch, Transfer
from meteo_ray.training.row_source import row_source
from meteo_ray.training.task import Task
from meteo_ray.training.validation import collect_outputs

# Enough that a pass takes some tenths of a second on a GPU and some seconds on two cores.
ROWS, BATCH = 256, 32

# The fastest of a few passes is the one that was disturbed least.
PASSES = 3


def images_per_second(task: Task, model: nn.Module, index: pa.Table, precision: str, device: torch.device) -> float:
    """Validation rows that `task.outputs` answers in a second; prepared beforehand, decoding does not count."""
    rows = task.rows(index, VALIDATION).slice(0, ROWS)
    transfer = Transfer(device)
    prepared = row_source(task)(rows, task.prepare(VALIDATION, 0), BATCH)
    batches = [ReadyBatch(task, batch, BATCH, transfer) for batch in prepared]
    seen = sum(len(batch) for batch in batches)
    seconds = []
    for _ in range(PASSES):
        started = time.perf_counter()
        # What it answers comes back on the CPU, so the device has finished.
        collect_outputs(task, model, batches, MemoryGuard(BATCH, 1.0, device), device, precision)
        seconds.append(time.perf_counter() - started)
    return seen / min(seconds)
