"""Lists of paths as an archive: a text file with a path on each line, or the column `path` of a CSV or Parquet file."""

import csv
import logging
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from meteo_ray.errors import UsageError
from meteo_ray.files import storable

logger = logging.getLogger("meteo_ray")

COLUMN = "path"
SUFFIXES = (".txt", ".csv", ".parquet")
BATCH_ROWS = 10_000


def is_path_list(name: str) -> bool:
    """Whether a file's name says that it is a list of paths."""
    return name.lower().endswith(SUFFIXES)


def listed_paths(file: Path) -> Iterator[str]:
    """The paths, as they stand there; empty lines are passed over. UTF-8, with or without a byte order mark.

    Raises:
        UsageError: naming the file, and the line where there is one.
    """
    read = {".txt": _lines, ".csv": _csv_column, ".parquet": _parquet_column}[file.suffix.lower()]
    try:
        yield from read(file)
    except (OSError, csv.Error, pa.ArrowInvalid) as error:
        raise UsageError(f"--archive {file}: cannot be read: {error}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"--archive {file}: is not UTF-8 at byte {error.start}") from None


def _lines(file: Path) -> Iterator[str]:
    # Names that are no UTF-8 come through as os.fsdecode would have them.
    told = False
    with file.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, start=1):
            if path := line.rstrip("\n"):
                if not told and storable(path) != path:
                    told = True
                    logger.warning(
                        "--archive %s:%d: is not UTF-8 and taken byte for byte; if files are not found, save the list "
                        "as UTF-8",
                        *(file, number),
                    )
                yield path


def _csv_column(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        if COLUMN not in (rows.fieldnames or ()):
            raise UsageError(f"--archive {file}:1: has no column `{COLUMN}`, but {', '.join(rows.fieldnames or ())}")
        for row in rows:
            if path := row[COLUMN]:
                yield path


def _parquet_column(file: Path) -> Iterator[str]:
    with pq.ParquetFile(file) as table:
        if COLUMN not in table.schema_arrow.names:
            raise UsageError(f"--archive {file}: has no column `{COLUMN}`, but {', '.join(table.schema_arrow.names)}")
        for batch in table.iter_batches(BATCH_ROWS, columns=[COLUMN]):
            yield from (str(path) for path in batch.column(0).to_pylist() if path)
