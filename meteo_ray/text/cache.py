"""Texts that were read before, by the content of the file and by how it was read.

One SQLite file, which several processes of one machine and later runs may use at once. It is a convenience: one that
is damaged is begun anew, and where none can be kept every image is read.
"""

import hashlib
import json
import logging
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from meteo_ray.text.config import ReadingSettings
from meteo_ray.text.lines import TextLine
from meteo_ray.text.modes import ENGINE_EDITION, MODES
from meteo_ray.text.reader import LINES

logger = logging.getLogger("meteo_ray")

# Others hold the file for the few milliseconds of a commit.
BUSY_TIMEOUT_S = 10.0

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

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
        self.path, self.reading, self._told = path, reading, False
        self._table = self._opened()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def get(self, sha256: str) -> tuple[TextLine, ...] | None:
        """The lines of the file with this content; None where they are not known."""
        query = "SELECT lines FROM texts WHERE sha256 = ? AND reading = ?"
        found = self._rows(query, (sha256, self.reading))
        try:
            return LINES.validate_json(found[0][0]) if found else None
        except ValidationError:
            return None

    def put(self, sha256: str, lines: Iterable[TextLine]) -> None:
        """Keep what was read; a failure to read is no text, and must not be kept."""
        kept = LINES.dump_json(tuple(lines)).decode()
        self._rows("INSERT OR REPLACE INTO texts VALUES (?, ?, ?)", (sha256, self.reading, kept))

    def close(self) -> None:
        if self._table is not None:
            self._table.close()
            self._table = None

    def _rows(self, statement: str, values: tuple[str, ...]) -> list[tuple[str]]:
        """What a statement gives; nothing where the file is damaged, locked, full or gone."""
        if self._table is None:
            return []
        try:
            return self._table.execute(statement, values).fetchall()
        except (sqlite3.DatabaseError, ValueError) as error:  # damaged bytes may be no UTF-8
            if _is_damage(error):
                self._begin_anew()
            else:
                self._tell(error)
            return []

    def _opened(self) -> sqlite3.Connection | None:
        try:
            return self._connected()
        except (OSError, ValueError, sqlite3.DatabaseError) as error:
            if not _is_damage(error):
                self._tell(error)
                return None
        self._remove()
        with suppress(OSError, sqlite3.DatabaseError):
            return self._connected()
        return None

    def _connected(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        table = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            table.execute(TABLE)
        except sqlite3.DatabaseError:
            table.close()
            raise
        return table

    def _tell(self, error: Exception) -> None:
        """Once: what is read now will have to be read again."""
        if not self._told:
            logger.warning("%s: texts cannot be kept: %s", self.path, error)
        self._told = True

    def _begin_anew(self) -> None:
        self.close()
        self._remove()
        with suppress(OSError, sqlite3.DatabaseError):
            self._table = self._connected()

    def _remove(self) -> None:
        """The journal goes first: it would be played back into the next file of this name."""
        for place in (self.path.with_name(f"{self.path.name}-journal"), self.path):
            with suppress(OSError):
                place.unlink()


def _is_damage(error: Exception) -> bool:
    """Whether the file itself is bad; the lower byte of SQLite's code is the kind of an error, the rest its variety."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED
