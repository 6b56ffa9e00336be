"""What `--also` asks for beside the Parquet files: tables for spreadsheets and scripts, images sorted into folders."""

import logging
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow.compute as pc
import pyarrow.parquet as pq

from meteo_ray.archive import output
from meteo_ray.archive.config import Also, ArchiveConfig
from meteo_ray.archive.inputs.manifest import PLACE, Manifest
from meteo_ray.archive.inputs.source import LocalSource, RemoteSource
from meteo_ray.archive.reading.reader import Reader
from meteo_ray.archive.results.sorted_folders import sort_into_folders
from meteo_ray.archive.results.sorted_placer import Kind
from meteo_ray.archive.results.tables import write_csv, write_jsonl
from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.fit import INPUT_SIZE

logger = logging.getLogger("meteo_ray")

WRITERS = {"csv": write_csv, "jsonl": write_jsonl}


def missing_extras(config: ArchiveConfig, anew: bool) -> tuple[Also, ...]:
    """What is to be written: tables that are not there, all of those there when rows have been added; and folders
    whenever they are asked for, because one look does not tell whether they are complete."""
    tables = [kind for kind, name in output.TABLES.items() if (config.out / name).exists()]
    summary = (config.out / output.SUMMARY).stat().st_mtime_ns
    anew = anew or any((config.out / output.TABLES[kind]).stat().st_mtime_ns < summary for kind in tables)
    wanted = [kind for kind in config.also if anew or kind not in tables]
    if anew and (config.out / output.SORTED).exists() and not {"links", "copies"} & set(wanted):
        logger.warning("%s has not been brought up to date: --also links (or copies)", config.out / output.SORTED)
    return tuple(dict.fromkeys([*wanted, *(cast(list[Also], tables) if anew else [])]))


def write_extras(config: ArchiveConfig, source: LocalSource | RemoteSource, wanted: Sequence[Also]) -> None:
    """Write them from the committed parts."""
    predictions = config.out / output.PREDICTIONS
    for kind in wanted:
        if kind in WRITERS:
            WRITERS[kind](predictions, config.out / output.TABLES[kind])
        else:
            with Reader(source, config.reading.limits(), INPUT_SIZE) as reader:
                originals = Originals(source, Manifest(config.out / output.MANIFEST), reader)
                placed = sort_into_folders(predictions, config.out / output.SORTED, originals, cast(Kind, kind))
            logger.info("%d images sorted into %s", placed, config.out / output.SORTED)


class Originals:
    """Where the image of a row of the predictions lies, or its bytes where it is no file of its own."""

    def __init__(self, source: LocalSource | RemoteSource, manifest: Manifest, reader: Reader) -> None:
        self._source, self._reader = source, reader
        # In a temporary table that SQLite keeps on disk when it grows.
        self._places = sqlite3.connect("")
        columns = ", ".join(field.name for field in PLACE)
        self._places.execute(f"CREATE TABLE places (image_id TEXT PRIMARY KEY, {columns}) WITHOUT ROWID")
        self._places.executemany("INSERT INTO places VALUES (?, ?, ?, ?, ?)", _odd_places(source, manifest))

    def __call__(self, row: dict[str, Any]) -> Path | bytes | None:
        names = [field.name for field in PLACE]
        found = self._places.execute(
            f"SELECT {', '.join(names)} FROM places WHERE image_id = ?", (row["image_id"],)
        ).fetchone()
        place = {**dict.fromkeys(names), **row} if found is None else {**row, **dict(zip(names, found, strict=True))}
        if found is not None and place["size"] is None:  # of a file that no listing finds any more
            return None
        if isinstance(self._source, LocalSource) and (found is None or place["position"] < 0):
            path = Path(self._source.place(place).path)
            return path if os.path.exists(path) else None
        try:
            return self._reader.bytes(place)
        except DecodeFailure:
            return None


def _odd_places(source: LocalSource | RemoteSource, manifest: Manifest) -> Iterator[tuple[Any, ...]]:
    """Files that their path alone does not find: members, names that are not UTF-8, objects of a store."""
    for shard in manifest.shards:
        table = pq.read_table(shard, columns=["image_id", *(field.name for field in PLACE)])
        if isinstance(source, LocalSource):
            table = table.filter(pc.or_(pc.is_valid(table["name"]), pc.greater_equal(table["position"], 0)))
        yield from zip(*(column.to_pylist() for column in table.columns), strict=True)
