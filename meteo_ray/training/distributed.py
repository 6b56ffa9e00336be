"""Several training workers on one batch: what each of them takes, and what they tell each other.

Gradients are averaged by DistributedDataParallel (gradient_steps.py). What is small, such as counts, means and the
outputs of validation, goes through a group of its own on the CPU, whatever connects the GPUs. Batch statistics are
those of each worker's share, as they are those of each micro-batch where gradients are accumulated.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import chain, repeat
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa
import torch
import torch.distributed as dist

from meteo_ray.errors import UsageError

T = TypeVar("T")

# The first worker may fit trees on all rows while the others wait; a worker that died is noticed by what started it.
PATIENCE = timedelta(hours=12)


class Workers:
    """This worker and the others; alone it has nothing to tell. With others torch.distributed is set up already."""

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count
        self._group: Any = dist.new_group(backend="gloo", timeout=PATIENCE) if count > 1 else None

    # -- what this one takes -----------------------------------------------------------------------------------------

    def share_of(self, order: np.ndarray, batch_size: int) -> np.ndarray:
        """This worker's draws: of every `batch_size`, those of all workers together, as many neighbours as the others
        take; the last batch, where it is smaller, is shared as evenly as can be."""
        if self.count == 1:
            return order
        batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
        return np.concatenate([order[:0], *(np.array_split(batch, self.count)[self.rank] for batch in batches)])

    def part_of(self, rows: pa.Table) -> pa.Table:
        """This worker's rows of a table; the workers' parts one after the other are the table."""
        first, last = (rows.num_rows * rank // self.count for rank in (self.rank, self.rank + 1))
        return rows.slice(first, last - first)

    def in_step(self, batches: Iterable[T], steps: int, empty: T) -> Iterator[T]:
        """`batches`, and `empty` ones after them until there were `steps`: all workers make as many."""
        made = 0
        for batch in batches:
            made += 1
            yield batch
        if self.count > 1:
            yield from repeat(empty, steps - made)

    # -- what they tell each other; every worker calls it ------------------------------------------------------------

    def all_of(self, value: T) -> list[T]:
        """Every worker's value, by rank."""
        if self.count == 1:
            return [value]
        values: list[Any] = [None] * self.count
        dist.all_gather_object(values, value, group=self._group)
        return cast(list[T], values)

    def of_first(self, value: T) -> T:
        """The first worker's value, in every worker."""
        return self.all_of(value)[0]

    def total(self, number: int) -> int:
        """The sum of all workers' numbers."""
        if self.count == 1:
            return number
        numbers = torch.tensor([number])
        dist.all_reduce(numbers, group=self._group)
        return int(numbers)

    def average(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace floating-point tensors on the device of training by their mean over the workers."""
        if self.count == 1:
            return
        for tensor in tensors:
            dist.all_reduce(tensor)
            tensor /= self.count

    def wait(self) -> None:
        """Until all have come here."""
        self.all_of(None)


def added(sums: Iterable[dict[str, float]]) -> dict[str, float]:
    """Sums by name over all of them."""
    total: dict[str, float] = {}
    for name, value in chain.from_iterable(part.items() for part in sums):
        total[name] = total.get(name, 0.0) + value
    return total


def require_even_shares(batch_size: int, workers: int) -> None:
    """Raises UsageError where workers cannot take equal shares of a batch."""
    if batch_size % workers:
        below = batch_size - batch_size % workers
        possible = f"{below} or {below + workers}" if below else str(workers)
        raise UsageError(f"--training.batch-size {batch_size} cannot be shared by {workers} workers; {possible} can")
