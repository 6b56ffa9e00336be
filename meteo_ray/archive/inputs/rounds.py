"""What is to be judged, a round at a time, while the listing still goes on: neither names nor pixels pile up."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from meteo_ray.archive.ids import IdSet, id_numbers
from meteo_ray.archive.inputs.listing_thread import Listing
from meteo_ray.archive.inputs.manifest import MANIFEST, SHARD_ROWS, Manifest
from meteo_ray.errors import MeteoRayError

# Half a million rows: about 75 MB, and more than an hour's work, beside which loading the models anew is nothing.
ROUND_SHARDS = 500_000 // SHARD_ROWS


def pending_rounds(manifest: Manifest, written: IdSet, listing: Listing) -> Iterator[pa.Table]:
    """Tables with the schema MANIFEST of rows that are not in `written`, which the caller keeps up to date.

    When all is listed and has been given out once, what did not come back (twins of a file that vanished) is given
    out again.

    Raises:
        MeteoRayError: when rows do not come back however often they are given out: a defect, never passed over.
    """
    taken = 0
    while True:
        finished = listing.finished  # asked before the shards are looked at, so that none is missed
        shards = manifest.shards[taken : taken + ROUND_SHARDS]
        taken += len(shards)
        if shards:
            yield from _filled(_pending(shards, written))
        elif finished:
            break
        else:
            listing.wait()
    before = None
    while rows := _count(manifest.shards, written):
        if before is not None and rows >= before:
            raise MeteoRayError(f"{rows} rows were given out and did not come back; run again with --resume")
        before = rows
        for start in range(0, len(manifest.shards), ROUND_SHARDS):
            yield from _filled(_pending(manifest.shards[start : start + ROUND_SHARDS], written))


def _pending(shards: list[Path], written: IdSet) -> pa.Table:
    tables = []
    for shard in shards:
        table = pq.read_table(shard, schema=MANIFEST)
        tables.append(table.filter(pa.array(~written.contains(id_numbers(table["image_id"])))))
    return pa.concat_tables(tables).combine_chunks()


def _filled(table: pa.Table) -> Iterator[pa.Table]:
    if table.num_rows:
        yield table


def _count(shards: list[Path], written: IdSet) -> int:
    numbers = (id_numbers(pq.read_table(shard, columns=["image_id"])["image_id"]) for shard in shards)
    return sum(int((~written.contains(ids)).sum()) for ids in numbers)
