"""The manifest: which inputs a run has. A resumed run keeps those that were judged and lists the others anew.

`OUT/manifest/` holds `files-00000.parquet`, ...: shards of at most SHARD_ROWS rows, written beside and renamed.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from meteo_ray.archive.ids import IdSet, id_numbers
from meteo_ray.archive.inputs.listing import Entry
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
        """Write the entries that no shard holds yet, a shard at a time; the number of rows of each comes back.

        Should the listing break off, what it has found is written before its exception goes on.
        """
        known = self.ids()
        held: list[Entry] = []
        new: list[pa.Table] = []  # a later run finds few new files in many known ones; they share a shard
        try:
            for one in entries:
                held.append(one)
                if len(held) == shard_rows:
                    new.append(_unknown(held, known))
                    held.clear()
                    if sum(table.num_rows for table in new) >= shard_rows:
                        yield self._write(pa.concat_tables(new))
                        new.clear()
        except Exception:
            self._write(pa.concat_tables([*new, _unknown(held, known)]))
            raise
        yield self._write(pa.concat_tables([*new, _unknown(held, known)]))

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

    def keep(self, ids: IdSet, damaged: Callable[[Path, Exception], None]) -> None:
        """Forget the rows of all other images, so that the next listing sees their files as they are now.

        `damaged` is told of shards that cannot be read.
        """
        for shard in self.shards:
            try:
                table = pq.read_table(shard)
            except (OSError, pa.ArrowException) as error:
                damaged(shard, error)
                continue
            kept = ids.contains(id_numbers(table["image_id"]))
            if not kept.any():
                shard.unlink()
            elif not kept.all():
                write_parquet(shard, table.filter(pa.array(kept)))

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
        if not table.num_rows:
            return 0
        numbers = [int(shard.stem.removeprefix("files-")) for shard in self.shards]
        write_parquet(self.folder / f"files-{max(numbers, default=-1) + 1:05d}.parquet", table)
        rows: int = table.num_rows
        return rows


def _unknown(entries: list[Entry], known: IdSet) -> pa.Table:
    """The entries that are not among the known ids, which they join."""
    table = _table(entries)
    return table.filter(pa.array(known.add(id_numbers(table["image_id"]))))


def _table(entries: list[Entry]) -> pa.Table:
    columns = {name: [getattr(entry, name) for entry in entries] for name in MANIFEST.names}
    columns["name"] = [None if entry.path.encode() == entry.name else entry.name for entry in entries]
    return pa.table(columns, schema=MANIFEST)
