"""Commits judged rows as `predictions/part-00000.parquet`, ...: written beside and renamed, so a part is there whole
or not at all. What the parts hold is all that a resumed run needs to know.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from meteo_ray.archive.cascade.judged_rows import COUNTS, JUDGED, SECONDS
from meteo_ray.archive.ids import IdSet, id_numbers
from meteo_ray.errors import UsageError
from meteo_ray.files import numbered_files, write_parquet
from meteo_ray.stages import PREDICTIONS

# Key of the Parquet metadata that keeps a part's seconds per stage and what else is added up: they survive a kill
# together with the rows. The name is from when seconds stood there alone.
WORK_KEY = b"meteo_ray.seconds"


class PartWriter:
    """Gathers tables and commits a part when it has `rows` rows or `seconds` have passed since the last one.

    A row whose id is in `written` already is not taken: a task that Ray repeats may bring its rows twice.
    """

    def __init__(self, folder: Path, rows: int, seconds: float, written: IdSet) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.rows, self.seconds, self.written = folder, rows, seconds, written
        for abandoned in folder.glob(".part-*"):
            abandoned.unlink()
        self._next = max((int(path.stem.removeprefix("part-")) + 1 for path in part_files(folder)), default=0)
        self._tables: list[pa.Table] = []
        self._gathered = 0
        self._committed_at = monotonic()

    def add(self, table: pa.Table) -> pa.Table:
        """Take rows with the schema judged_rows.JUDGED; those that were new come back."""
        new = table.filter(pa.array(self.written.add(id_numbers(table["image_id"]))))
        self._tables.append(new)
        self._gathered += new.num_rows
        if self._gathered >= self.rows or monotonic() - self._committed_at >= self.seconds:
            self.commit()
        return new

    def has(self, table: pa.Table) -> np.ndarray:
        """For each row whether it has been taken, bool `(rows,)`."""
        return self.written.contains(id_numbers(table["image_id"]))

    def restore(self, rows: pa.Table) -> None:
        """Take rows with the schema PREDICTIONS that an earlier call has judged."""
        empty = {field.name: pa.nulls(rows.num_rows, field.type) for field in JUDGED}
        self.add(pa.table(empty | {name: rows[name] for name in rows.column_names}, schema=JUDGED))
        self.commit()

    def commit(self) -> None:
        """Write what has been gathered as the next part; nothing happens when there is nothing."""
        if self._gathered:
            table = pa.concat_tables(self._tables)
            work = {name: pc.sum(table[name]).as_py() or 0 for name in (*SECONDS, *COUNTS)}
            metadata = {WORK_KEY: json.dumps(work).encode()}
            rows = table.select(PREDICTIONS.names).replace_schema_metadata(metadata)
            write_parquet(self.folder / f"part-{self._next:05d}.parquet", rows)
            self._next += 1
        self._tables, self._gathered, self._committed_at = [], 0, monotonic()


def part_files(folder: Path) -> list[Path]:
    return numbered_files(folder, "part")


def read_parts(folder: Path, columns: list[str] | None = None) -> Iterator[tuple[pa.Table, dict[str, Any]]]:
    """Each committed part with its sums of SECONDS and COUNTS, by column, one at a time; parts of before something was
    counted say nothing of it.

    Raises:
        UsageError: when a part cannot be read, which only damage to the disk explains.
    """
    for path in part_files(folder):
        try:
            table = pq.read_table(path, columns=columns)
        except (OSError, pa.ArrowInvalid) as error:
            raise UsageError(
                f"{path}: damaged: {error}; run again with --resume, which judges its files anew"
            ) from None
        metadata = pq.read_schema(path).metadata or {}
        yield table, json.loads(metadata.get(WORK_KEY, b"{}"))
