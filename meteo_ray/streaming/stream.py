"""Index rows -> Ray Data -> batches, in exactly the order asked for.

The order (sampling weights, hard examples, length groups) is decided on the small index beforehand; Ray Data only does
the heavy part, decoding and augmenting in CPU workers ahead of the consumer. One epoch is one such stream.
"""

from collections.abc import Callable, Iterator

import pyarrow as pa
import ray.data
from ray.data import ExecutionResources, TaskPoolStrategy

from meteo_ray.batch import Batch
from meteo_ray.cores import default_workers

# 32 decoded rows of 320x240x3 bytes are 7 MB: small enough that a first batch is there at once and that order-keeping
# holds few blocks back, large enough that Ray's 5-10 ms a task is lost beside 32 decodes of about 10 ms.
BLOCK_ROWS = 32

# Beyond 4096 blocks of 32 rows blocks grow with the epoch, up to 128 rows (29 MB): a million rows are 8,000 blocks,
# which take the consumer a second to hand over, instead of 31,000. A dozen workers, each with a block, hold 350 MB.
MOST_BLOCKS, MOST_BLOCK_ROWS = 4096, 128

# Of the object store, for all blocks of a stream: 8,000 prepared images of 320x240. Ray's own limit is half of the
# store for each stream; the next epoch's and validation's are open at once, and the rest would be written to disk.
MOST_STREAM_BYTES = 2 * 10**9

# Fetched ahead from other machines; how far the stream is ahead of training is up to `training.read_ahead`, and to
# Ray's limits on the object store.
PREFETCH_BATCHES = 1


def stream(
    rows: pa.Table,
    prepare: Callable[[Batch], Batch],
    batch_size: int,
    workers: int | None = None,
    drop_failed: bool = True,
    start_batch: int = 0,
    waiting_blocks: int = 0,
) -> Iterator[Batch]:
    """Apply `prepare` to `rows` in CPU workers and yield batches of `batch_size` rows in the rows' order.

    `prepare` keeps the row count and adds `ok` (bool). With `drop_failed` the rows that are not ok are left out, so a
    batch may be shorter than asked; the caller sees how many by counting. The last batch holds what is left.

    `start_batch` leaves out that many batches without decoding them: what follows is what the whole stream would have
    gone on with, for rows left out by `drop_failed` still count towards their batch.

    `waiting_blocks` are handed out besides those that `workers` work on, so that none is idle while Ray takes its block
    and finds the next. They wait where no CPU is free, as beside a training worker on two; else they are worked on.
    """
    rows = rows.slice(start_batch * batch_size)
    if not rows.num_rows:
        return

    def apply(batch: Batch) -> Batch:  # a plain function: Ray would start actors for a callable object's class
        return prepare(batch)

    blocks = _blocks(rows)
    at_once = (workers or default_workers()) + waiting_blocks
    dataset = ray.data.from_blocks(blocks).map_batches(
        apply,
        batch_size=BLOCK_ROWS,
        batch_format="numpy",
        compute=TaskPoolStrategy(size=min(at_once, len(blocks))),  # Ray warns of more
        num_cpus=1,
    )
    options = dataset.context.execution_options
    options.preserve_order = True
    options.resource_limits = ExecutionResources.for_limits(object_store_memory=MOST_STREAM_BYTES)
    dataset.context.enable_progress_bars = False
    batches = dataset.iter_batches(batch_size=batch_size, batch_format="numpy", prefetch_batches=PREFETCH_BATCHES)
    for batch in batches:
        yield _only_ok(batch) if drop_failed else batch


def _blocks(rows: pa.Table) -> list[pa.Table]:
    """One for each task. `from_arrow` would start another task for each, only to count its rows."""
    enough = -(-rows.num_rows // (MOST_BLOCKS * BLOCK_ROWS)) * BLOCK_ROWS
    size = min(enough, max(MOST_BLOCK_ROWS, BLOCK_ROWS))
    return [rows.slice(start, size).combine_chunks() for start in range(0, rows.num_rows, size)]


def _only_ok(batch: Batch) -> Batch:
    ok = batch["ok"].astype(bool)
    if ok.all():
        return batch
    return {name: column[ok] for name, column in batch.items()}
