"""The predictions as one file for those who do not read Parquet: CSV for spreadsheets, JSONL for programs.

Both are written a part at a time, beside the place and renamed: the file is there whole or not at all.
"""

import csv
import json
import math
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray.archive.results.writer import read_parts
from meteo_ray.files import visible

# Where a spreadsheet could take text for a formula: OWASP's list of first characters (= + - @ tab, carriage return,
# line feed, full-width forms), NUL, the small forms and the minus sign, blanks before them or not. Also after a
# semicolon, at which spreadsheets of many countries split a line instead of at the comma.
_FORMULA = re.compile(r"(^|;)(?=[\t\r\n\0]|\s*[=+\-@＝＋－＠﹦﹢﹣﹫−])")

# JSON lets these stand as they are, but readers like str.splitlines() take them for the end of a line.
_LINE_ENDS = {ord(character): f"\\u{ord(character):04x}" for character in "\x85\u2028\u2029"}


def _in_json(value: Any) -> str:
    """What JSON has no type for: moments, as in `2024-07-15T08:00:00+00:00`."""
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_in_json)

# Columns whose text has lines, and what stands between them in a cell: a spreadsheet's rows stay rows.
_LINES, _LINE_BREAK = ("text",), " / "


def write_csv(predictions: Path, target: Path) -> None:
    """Write the parts' rows as they stand, for a spreadsheet: UTF-8 with a byte order mark, as Excel wants it.

    Lists become `wind:0.93 pressure:0.41`, null an empty cell. Text that a spreadsheet would take for a formula gets an
    apostrophe before it and characters that cannot be seen are written out, so names are not exact; write_jsonl's are.

    Raises:
        UsageError: when a part is damaged.
        OSError: when the disk is full or read-only; what stood at `target` is still there.
    """
    with _written_whole(target, "utf-8-sig") as file:
        writer = csv.writer(file)
        columns: list[str] = []
        for table, _ in read_parts(predictions):
            if not columns:
                columns = table.column_names
                writer.writerow(columns)
            writer.writerows(zip(*(_cells(name, table[name]) for name in columns), strict=True))


def write_jsonl(predictions: Path, target: Path) -> None:
    """Write the parts' rows as they stand, exactly: one JSON object a line; what is no number (NaN) becomes null.

    Raises:
        UsageError: when a part is damaged.
        OSError: when the disk is full or read-only; what stood at `target` is still there.
    """
    with _written_whole(target, "utf-8") as file:
        for table, _ in read_parts(predictions):
            file.writelines(f"{_json(row)}\n" for row in table.to_pylist())


@contextmanager
def _written_whole(target: Path, encoding: str) -> Iterator[TextIO]:
    scratch = target.with_name(f".{target.name}.tmp")
    try:
        # No newline translation: csv ends its lines with CR LF itself.
        with scratch.open("w", encoding=encoding, newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)


def _cells(name: str, column: pa.ChunkedArray) -> list[str]:
    text_of = _formatter(column.type)
    if name in _LINES:
        column = pc.replace_substring(column, "\n", _LINE_BREAK)
    texts = ["" if value is None else text_of(value) for value in column.to_pylist()]
    if pa.types.is_primitive(column.type):  # numbers and booleans: an apostrophe would make text of -0.5
        return texts
    return [_harmless(text) for text in texts]


def _formatter(kind: pa.DataType) -> Callable[[Any], str]:
    """What writes values of a type: lists are joined by blanks, the fields of a struct by colons."""
    if pa.types.is_list(kind):
        item = _formatter(kind.value_type)
        return lambda values: " ".join(["" if value is None else item(value) for value in values])
    if pa.types.is_struct(kind):
        fields = [(field.name, _formatter(field.type)) for field in kind]
        return lambda value: ":".join(["" if value[name] is None else text(value[name]) for name, text in fields])
    if pa.types.is_boolean(kind):
        return lambda value: "true" if value else "false"
    if pa.types.is_floating(kind):
        # As a float32 it is 0.93, as a Python float it would be 0.9300000071525574.
        shorten = np.float32 if pa.types.is_float32(kind) else float
        return lambda value: str(shorten(value)) if math.isfinite(value) else ""
    if pa.types.is_timestamp(kind):
        return datetime.isoformat
    return str


def _harmless(text: str) -> str:
    """The text as a cell that a spreadsheet shows and neither computes nor breaks."""
    marked = _FORMULA.sub(r"\1'", text)
    return marked if marked.isprintable() else visible(marked)  # visible() is slow, and hardly a name needs it


def _json(row: dict[str, Any]) -> str:
    try:
        line = _ENCODER.encode(row)
    except ValueError:
        line = _ENCODER.encode(_finite(row))
    return line.translate(_LINE_ENDS)


def _finite(value: Any) -> Any:
    """The value with null for NaN and infinity, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
