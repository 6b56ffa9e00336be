"""A JSON Lines file -> its objects, and every broken line with its place. Knows nothing of weather charts.

Accepted: UTF-8 with or without a byte order mark, LF or CRLF, blank lines, no newline at the end. Hostile input
(endless lines, deep nesting, numbers that are none) becomes a problem in the list, never a traceback.
"""

import codecs
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from meteo_ray.errors import UsageError

# A label row is a few hundred bytes; a megabyte leaves room for long free-text keys and keeps memory flat.
MAX_LINE_BYTES = 1 << 20

# An honest row nests two or three levels; Python's own parser gives up at about a thousand, with a traceback.
MAX_DEPTH = 32

_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


class _BadLine(ValueError):
    """What is wrong with one line, and at which column (from 1) where that is known."""

    def __init__(self, message: str, column: int | None = None) -> None:
        super().__init__(message)
        self.column = column


def read_json_lines(path: Path, problems: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects with their line numbers (from 1), one in memory at a time.

    Broken lines are not raised: `problems` gets `file:line:column: what` of each.

    Raises:
        UsageError: when the file cannot be opened or is no JSON Lines in UTF-8 at all.
    """
    try:
        with path.open("rb") as file:
            _refuse_other_layouts(path, file)
            for number, line in _lines(file):
                if not line.strip():
                    continue
                try:
                    document = parse_object(line)
                except _BadLine as problem:
                    column = "" if problem.column is None else f":{problem.column}"
                    problems.append(f"{path}:{number}{column}: {problem}")
                else:
                    yield number, document
    except OSError as error:
        raise UsageError(f"{path}: cannot read the file: {error.strerror or error}") from None


def parse_object(line: bytes) -> dict[str, Any]:
    """One line as a JSON object of finite numbers, unique keys and encodable text. Raises ValueError saying why not."""
    if len(line) > MAX_LINE_BYTES:
        raise _BadLine(f"longer than {MAX_LINE_BYTES} bytes; a row holds one image's labels")
    try:
        text = line.decode("utf-8").rstrip("\r\n")
        document = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_unique)
    except UnicodeDecodeError as error:
        column = len(line[: error.start].decode("utf-8")) + 1
        raise _BadLine("not UTF-8; save the file as UTF-8", column) from None
    except json.JSONDecodeError as error:
        raise _BadLine(f"not valid JSON: {error.msg}", error.colno) from None
    except RecursionError:
        raise _BadLine(f"nested more than {MAX_DEPTH} levels deep") from None
    except _BadLine:
        raise
    except ValueError:  # an integer of more digits than Python converts
        raise _BadLine("a number is too long") from None
    _check_document(document)
    return document


def _check_document(document: Any) -> None:
    if not isinstance(document, dict):
        raise _BadLine(f"expected an object {{...}}, found {type(document).__name__}", 1)
    if _depth(document) > MAX_DEPTH:
        raise _BadLine(f"nested more than {MAX_DEPTH} levels deep")
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise _BadLine("holds half of a surrogate pair (\\ud800-\\udfff), which is no character") from None


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Numbered lines; of an endless one only the beginning, so that memory stays flat."""
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        yield number, line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE_BYTES + 1)


def _refuse_other_layouts(path: Path, file: BinaryIO) -> None:
    """One message for what would otherwise be a problem in every line."""
    head = file.read(1024)
    file.seek(0)
    if head.startswith(_WIDE_MARKS) or b"\0" in head:
        raise UsageError(f"{path}: looks like UTF-16 or a binary file; save it as UTF-8")
    if re.match(rb"\s*\[\s*\{", head.removeprefix(codecs.BOM_UTF8)):
        raise UsageError(f"{path}: one JSON array; write one object a line instead")


def _depth(document: Any) -> int:
    """Levels of nesting, counted without recursion; stops just above the limit."""
    level, depth = [document], 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        containers = [value for value in level if isinstance(value, dict | list)]
        level = [child for c in containers for child in (c.values() if isinstance(c, dict) else c)]
    return depth


def _refuse_constant(name: str) -> NoReturn:
    raise _BadLine(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _BadLine(f"the number {text[:20]} is too large")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise _BadLine(f"the key {repeated!r} stands twice in one object")
    return document
