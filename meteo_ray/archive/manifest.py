"""The manifest: which inputs a run has. It only grows, so that a resumed run has the same inputs and those added since.

`OUT/manifest/` holds `files-00000.parquet`, ...: shards of at most SHARD_ROWS rows, written beside and renamed.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from meteo_ray.archive.ids import IdSet, contains, id_numbers
from meteo_ray.archive.listing import Entry
from meteo_ray.files import numbered_files, write_parquet

# What is needed to read a file once more, beside its path.
PLACE = [
    pa.field("name", pa.binary()),  # null: the path as UTF-8
    pa.field("position", pa.int64()),
    pa.field("size", pa.int64()),
    pa.field("modified_ns", pa.int64()),
]
MANIFEST = pa.schema(
    [
        ("image_id", pa.string()),
        ("path", pa.string()),
        *PLACE,
        ("status", pa.string()),  # empty: to be judged
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)

# A row is about 150 bytes: 3 MB in memory while a shard is written, and 250 shards for five million files.
SHARD_ROWS = 20_000


class Manifest:
    """The listed files in a folder of shards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def shards(self) -> list[Path]:
        return numbered_files(self.folder, "files")

    def rows(self) -> int:
        """How many inputs are listed."""
        return sum(pq.read_metadata(shard).num_rows for shard in self.shards)

    def extend(self, entries: Iterable[Entry], shard_rows: int = SHARD_ROWS) -> Iterator[int]:
        """Write the entries that no shard holds yet, a shard at a time; the number of rows of each comes back."""
        known = self.ids()
        remaining = iter(entries)
        held: list[pa.Table] = []
        while chunk := list(islice(remaining, shard_rows)):
            table = _table(chunk)
            new = table.filter(pa.array(known.add(id_numbers(table["image_id"]))))
            held.append(new)
            # A later run finds few new files in many known ones; they share a shard.
            if sum(part.num_rows for part in held) >= shard_rows:
                yield self._write(pa.concat_tables(held))
                held = []
        if any(part.num_rows for part in held):
            yield self._write(pa.concat_tables(held))

    def ids(self) -> IdSet:
        """The ids of everything listed."""
        known = IdSet()
        for shard in self.shards:
            known.add(id_numbers(pq.read_table(shard, columns=["image_id"])["image_id"]))
        return known

    def find(self, image_ids: Collection[str]) -> dict[str, dict[str, Any]]:
        """The rows of some images, by id."""
        wanted = pa.array(image_ids, pa.string())
        found = {}
        for shard in self.shards:
            rows = pq.read_table(shard, filters=pc.is_in(pc.field("image_id"), wanted))
            found.update({row["image_id"]: row for row in rows.to_pylist()})
        return found

    def forget(self, ids: np.ndarray) -> None:
        """Take rows out (`id_numbers`, sorted), so that the next listing looks at their files anew."""
        for shard in self.shards:
            table = pq.read_table(shard)
            gone = contains(ids, id_numbers(table["image_id"]))
            if gone.any():
                write_parquet(shard, table.filter(pa.array(~gone)))

    def adopt(self, judged: pa.Table) -> None:
        """List judged rows that no shard knows and no listing finds any more."""
        columns = {
            "image_id": judged["image_id"],
            "path": judged["path"],
            "status": judged["status"],
            "reason": pc.fill_null(judged["reason"], ""),
        }
        empty = {field.name: pa.nulls(judged.num_rows, field.type) for field in MANIFEST}
        self._write(pa.table({**empty, **columns}, schema=MANIFEST))

    def _write(self, table: pa.Table) -> int:
        numbers = [int(shard.stem.removeprefix("files-")) for shard in self.shards]
        write_parquet(self.folder / f"files-{max(numbers, default=-1) + 1:05d}.parquet", table)
        rows: int = table.num_rows
        return rows


def _table(entries: list[Entry]) -> pa.Table:
    columns = {name: [getattr(entry, name) for entry in entries] for name in MANIFEST.names}
    columns["name"] = [None if entry.path.encode() == entry.name else entry.name for entry in entries]
    return pa.table(columns, schema=MANIFEST)
