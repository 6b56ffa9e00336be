"""Commits judged rows as `predictions/part-00000.parquet`, ...: written beside and renamed, so a part is there whole
or not at all. What the parts hold is all that a resumed run needs to know.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from meteo_ray.archive.judged_rows import SECONDS
from meteo_ray.errors import UsageError
from meteo_ray.stages import PREDICTIONS

# Key of the Parquet metadata that keeps a part's seconds per stage: they survive a kill together with the rows.
SECONDS_KEY = b"meteo_ray.seconds"


class PartWriter:
    """Gathers tables and commits a part when it has `rows` rows or `seconds` have passed since the last one."""

    def __init__(self, folder: Path, rows: int, seconds: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.rows, self.seconds = folder, rows, seconds
        for abandoned in folder.glob(".part-*"):
            abandoned.unlink()
        self._next = max((int(path.stem.removeprefix("part-")) + 1 for path in part_files(folder)), default=0)
        self._tables: list[pa.Table] = []
        self._gathered = 0
        self._committed_at = monotonic()

    def add(self, table: pa.Table) -> None:
        """Take rows with the schema judged_rows.JUDGED."""
        self._tables.append(table)
        self._gathered += table.num_rows
        if self._gathered >= self.rows or monotonic() - self._committed_at >= self.seconds:
            self.commit()

    def commit(self) -> None:
        """Write what has been gathered as the next part; nothing happens when there is nothing."""
        if self._gathered:
            table = pa.concat_tables(self._tables)
            seconds = {name: pc.sum(table[name]).as_py() for name in SECONDS}
            metadata = {SECONDS_KEY: json.dumps(seconds).encode()}
            self._write(table.select(PREDICTIONS.names).replace_schema_metadata(metadata))
            self._next += 1
        self._tables, self._gathered, self._committed_at = [], 0, monotonic()

    def _write(self, table: pa.Table) -> None:
        part = self.folder / f"part-{self._next:05d}.parquet"
        scratch = part.with_name(f".{part.name}")
        with scratch.open("wb") as file:
            pq.write_table(table, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, part)


def part_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def read_parts(folder: Path, columns: list[str] | None = None) -> Iterator[tuple[pa.Table, dict[str, Any]]]:
    """Each committed part with its seconds per stage, one at a time.

    Raises:
        UsageError: when a part cannot be read, which only damage to the disk explains.
    """
    for path in part_files(folder):
        try:
            table = pq.read_table(path, columns=columns)
        except (OSError, pa.ArrowInvalid) as error:
            raise UsageError(f"{path}: damaged: {error}; remove this file and run again with --resume") from None
        metadata = pq.read_schema(path).metadata or {}
        yield table, json.loads(metadata.get(SECONDS_KEY, b"{}"))
