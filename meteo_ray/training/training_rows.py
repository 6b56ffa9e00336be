"""The training rows of one worker: what an epoch draws of them, and its batches."""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from meteo_ray.batch import Batch
from meteo_ray.schema import TRAIN
from meteo_ray.training.distributed import Workers
from meteo_ray.training.task import Feedback, Prepare, Task

Stream = Callable[[pa.Table, Prepare, int], Iterator[Batch]]
"""(rows, prepare, batch size) -> batches in the rows' order, rows that cannot be read among them; outside of tests
`streaming.stream.stream`, told to drop none."""


class TrainingRows:
    """Draws from `rows` as `task` says, and prepares this worker's share; `EpochInputs` asks for both.

    `batch_size` is that of all workers together, a multiple of their number.
    """

    def __init__(self, task: Task, rows: pa.Table, batch_size: int, workers: Workers, stream: Stream) -> None:
        self._task, self._workers, self._stream = task, workers, stream
        self.table = rows
        self._numbered = rows.append_column("row", pa.array(np.arange(rows.num_rows), pa.int64()))
        self.batch_size = batch_size

    def follows_losses(self, epoch: int) -> bool:
        return self._task.follows_losses(epoch)

    def draw(self, epoch: int, row_loss: np.ndarray | None) -> np.ndarray:
        """Positions of the rows for all workers, int64 `(draws,)`.

        `row_loss` float32 `(rows,)`, NaN where a row was not seen yet.
        """
        feedback = None if row_loss is None or np.isnan(row_loss).all() else Feedback(row_loss)
        return self._task.order(self.table, epoch, feedback)

    def batches(self, epoch: int, order: np.ndarray) -> Iterator[Batch]:
        """This worker's share of `order`, prepared, with each row's position as `row`; rows that are not ok too."""
        share = self._numbered.take(self._workers.share_of(order, self.batch_size))
        return self._stream(share, self._task.prepare(TRAIN, epoch), self.batch_size // self._workers.count)
