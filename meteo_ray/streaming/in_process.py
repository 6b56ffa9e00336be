"""Rows that are numbers already: their batches are made in the process that asks for them, without Ray Data.

What `stream.stream` does for images costs tens of milliseconds an epoch before the first batch and a copy through the
object store. A year of daily values is prepared in less time than one of its tasks takes to start.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from meteo_ray.batch import Batch


def stream_in_process(
    rows: pa.Table, prepare: Callable[[Batch], Batch], batch_size: int, drop_failed: bool = True
) -> Iterator[Batch]:
    """Like `stream.stream`: batches of `batch_size` rows in the rows' order; `drop_failed` leaves out those not `ok`.

    Every column must hold numbers, or texts that `prepare` takes as objects.
    """
    for start in range(0, rows.num_rows, batch_size):
        piece = rows.slice(start, batch_size)
        batch = prepare({name: piece[name].to_numpy() for name in piece.column_names})
        ok = np.asarray(batch["ok"], dtype=bool)
        yield batch if ok.all() or not drop_failed else {name: column[ok] for name, column in batch.items()}
