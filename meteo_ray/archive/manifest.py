"""The manifest: which inputs a run has, fixed once by listing, so that a resumed run has the same ones.

`OUT/manifest/` holds `files-00000.parquet`, ... in shards of SHARD_ROWS rows, and `complete.json` written last: a
listing that was interrupted is started again.
"""

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from meteo_ray.archive.listing import Entry
from meteo_ray.files import write_json

MANIFEST = pa.schema(
    [
        ("image_id", pa.string()),
        ("path", pa.string()),
        ("size", pa.int64()),
        ("modified_ns", pa.int64()),
        ("status", pa.string()),  # empty: to be judged
        ("reason", pa.string()),
    ]
)

# A row is about 100 bytes: 2 MB in memory while a shard is written, and 250 shards for five million files.
SHARD_ROWS = 20_000
COMPLETE = "complete.json"


def write_manifest(entries: Iterable[Entry], folder: Path, shard_rows: int = SHARD_ROWS) -> int:
    """Write the shards and then the mark of completeness; the number of rows comes back."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows = sum(write_shards((_table(chunk) for chunk in _chunks(entries, shard_rows)), folder))
    write_json(folder / COMPLETE, {"rows": rows})
    return rows


def manifest_rows(folder: Path) -> int | None:
    """How many inputs a complete manifest has; None when the listing has not been finished."""
    try:
        rows: int = json.loads((folder / COMPLETE).read_text("utf-8"))["rows"]
        return rows
    except FileNotFoundError:
        return None


@dataclass(frozen=True)
class Chunk:
    """Rows that are read, judged and moved together: one row group of a shard."""

    shard: Path
    group: int

    def read(self) -> pa.Table:
        with pq.ParquetFile(self.shard) as file:
            return file.read_row_group(self.group)


def shard_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("files-*.parquet"))


def write_shards(tables: Iterable[pa.Table], folder: Path, group_rows: int = SHARD_ROWS) -> Iterator[int]:
    for number, table in enumerate(tables):
        pq.write_table(table, folder / f"files-{number:05d}.parquet", row_group_size=group_rows)
        yield table.num_rows


def _chunks(entries: Iterable[Entry], rows: int) -> Iterator[list[Entry]]:
    remaining = iter(entries)
    while chunk := list(islice(remaining, rows)):
        yield chunk


def _table(entries: list[Entry]) -> pa.Table:
    return pa.table({name: [getattr(entry, name) for entry in entries] for name in MANIFEST.names}, schema=MANIFEST)
