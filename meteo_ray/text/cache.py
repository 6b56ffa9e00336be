"""Texts that were read before, by the content of the file and by how it was read.

Where none can be kept every image is read.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from meteo_ray.cache_file import CacheFile
from meteo_ray.text.config import ReadingSettings
from meteo_ray.text.lines import TextLine
from meteo_ray.text.modes import ENGINE_EDITION, MODES
from meteo_ray.text.reader import LINES

TABLE = """CREATE TABLE IF NOT EXISTS texts
    (sha256 TEXT, reading TEXT, lines TEXT NOT NULL, PRIMARY KEY (sha256, reading)) WITHOUT ROWID"""


def reading_version(settings: ReadingSettings) -> str:
    """16 hex digits that change with all that the lines of an image depend on."""
    engines = {name: version(name) for name in ("rapidocr", "onnxruntime")}
    mode = asdict(MODES[settings.mode])
    document = [engines, ENGINE_EDITION, mode, settings.minimum_score]
    return hashlib.sha256(json.dumps(document).encode()).hexdigest()[:16]


class TextCache:
    """Lines by content; a context manager. Holds a few MB, however many there are. Not for several threads at once.

    Args:
        path: the file, on a disk of this machine; its folder is made.
        reading: how images are read, see `reading_version`; texts read otherwise stay unseen.
    """

    def __init__(self, path: Path, reading: str) -> None:
        self.reading, self._file = reading, CacheFile(path, "texts", [TABLE])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def get(self, sha256: str) -> tuple[TextLine, ...] | None:
        """The lines of the file with this content; None where they are not known."""
        query = "SELECT lines FROM texts WHERE sha256 = ? AND reading = ?"
        found = self._file.rows(query, (sha256, self.reading))
        try:
            return LINES.validate_json(found[0][0]) if found else None
        except ValidationError:
            return None

    def put(self, sha256: str, lines: Iterable[TextLine]) -> None:
        """Keep what was read; a failure to read is no text, and must not be kept."""
        kept = LINES.dump_json(tuple(lines)).decode()
        self._file.rows("INSERT OR REPLACE INTO texts VALUES (?, ?, ?)", (sha256, self.reading, kept))

    def close(self) -> None:
        self._file.close()
