"""What is written on the images of a data folder, read once: DATA/index/texts.parquet, made by jobs/read_text.py."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from meteo_ray.errors import UsageError
from meteo_ray.files import write_parquet
from meteo_ray.schema import WRITTEN
from meteo_ray.text.facts import centre_of, level_of, valid_time_of
from meteo_ray.text.lines import TextLine, in_reading_order
from meteo_ray.text.title import title_of

TEXTS_FILE = "texts.parquet"

# The key of the file's metadata that tells how its texts were read.
MODE = b"text_mode"

TEXTS = pa.schema([pa.field("sha256", pa.string()), *WRITTEN])


def written(lines: Sequence[TextLine]) -> dict[str, Any]:
    """The columns `schema.WRITTEN` of one image."""
    ordered = in_reading_order(lines)
    return {
        "title": title_of(lines),
        "text": "\n".join(line.text for line in ordered),
        "valid_time": valid_time_of(lines),
        "level": level_of(lines),
        "centre": centre_of(lines),
    }


def texts_path(data: Path, index: Path | None = None) -> Path:
    return (index or data / "index") / TEXTS_FILE


def write_texts(path: Path, rows: Iterable[dict[str, Any]], mode: str = "page") -> None:
    """Write rows of TEXTS, which were read in a `mode` of text.config, whole or not at all."""
    in_order = sorted(rows, key=lambda row: row["sha256"])  # the same texts make the same file
    write_parquet(path, pa.Table.from_pylist(in_order, schema=TEXTS.with_metadata({MODE: mode})))


def texts_mode(path: Path) -> str | None:
    """In which mode the texts of a file were read; None where there is none. Raises UsageError when it is damaged."""
    if not path.is_file():
        return None
    return (_read(path, ()).schema.metadata or {}).get(MODE, b"page").decode()


def with_texts(rows: pa.Table, data: Path, index: Path | None = None) -> pa.Table:
    """Index rows with the columns `title` and `text`, null where the image's text was not read.

    Raises:
        UsageError: when the file of texts is damaged.
    """
    known = _by_content(texts_path(data, index))
    found = [known.get(sha256, (None, None)) for sha256 in rows["sha256"].to_pylist()]
    for position, name in enumerate(("title", "text")):
        rows = rows.append_column(name, pa.array([row[position] for row in found], pa.string()))
    return rows


def without_texts(rows: pa.Table) -> pa.Table:
    """Index rows with the columns of `with_texts`, as if no text had been read."""
    for name in ("title", "text"):
        rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.string()))
    return rows


def _by_content(path: Path) -> dict[str, tuple[str, str]]:
    if not path.is_file():
        return {}
    table = _read(path, ("sha256", "title", "text"))
    columns = (table[name].to_pylist() for name in ("sha256", "title", "text"))
    return {sha256: (title, text) for sha256, title, text in zip(*columns, strict=True)}


def _read(path: Path, columns: Sequence[str]) -> pa.Table:
    try:
        return pq.read_table(path, columns=list(columns))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise UsageError(f"{path}: cannot be read ({error}); remove it and run jobs/read_text.py again") from None
