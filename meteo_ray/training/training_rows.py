"""The training rows of one worker: what an epoch draws of them, and its batches."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from meteo_ray.batch import Batch
from meteo_ray.schema import TRAIN
from meteo_ray.training.distributed import share_of
from meteo_ray.training.task import Feedback, Prepare, Task

Stream = Callable[[pa.Table, Prepare, int], Iterator[Batch]]
"""(rows, prepare, batch size) -> batches in the rows' order, rows that cannot be read among them; outside of tests
`streaming.stream.stream`, told to drop none."""


class TrainingRows:
    """Draws from `rows` as `task` says, one share of `world_size` equal ones; `EpochInputs` asks for both.

    `batch_size` is that of all workers together.
    """

    def __init__(self, task: Task, rows: pa.Table, batch_size: int, rank: int, world_size: int, stream: Stream) -> None:
        self._task, self._rank, self._world_size, self._stream = task, rank, world_size, stream
        self.table = rows
        self._numbered = rows.append_column("row", pa.array(np.arange(rows.num_rows), pa.int64()))
        self.batch_size = max(1, batch_size // world_size)
        """Rows of this worker's share of a batch."""

    def follows_losses(self, epoch: int) -> bool:
        return self._task.follows_losses(epoch)

    def draw(self, epoch: int, row_loss: np.ndarray | None) -> np.ndarray:
        """Positions of the rows, int64 `(draws,)`. `row_loss` float32 `(rows,)`, NaN where a row was not seen yet."""
        feedback = None if row_loss is None or np.isnan(row_loss).all() else Feedback(row_loss)
        return share_of(self._task.order(self.table, epoch, feedback), self._rank, self._world_size)

    def batches(self, epoch: int, order: np.ndarray) -> Iterator[Batch]:
        """Prepared, with each row's position as `row`; rows that are not ok too."""
        return self._stream(self._numbered.take(order), self._task.prepare(TRAIN, epoch), self.batch_size)
