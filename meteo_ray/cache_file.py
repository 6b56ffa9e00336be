"""One SQLite file of what can be made again: several processes of one machine and later runs may use it at once.

It is a convenience: one that is damaged is begun anew, and where none can be kept everything is made each time.
"""

import logging
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

logger = logging.getLogger("meteo_ray")

# Others hold the file for the few milliseconds of a commit.
BUSY_TIMEOUT_S = 10.0

# Failures in a row, each perhaps after that time, after which a process does without the file: some network mounts
# cannot lock at all.
MOST_FAILURES = 3

DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class CacheFile:
    """Runs statements on the file and never raises for its state. Not for several threads at once.

    Args:
        path: the file, on a disk of this machine; its folder is made.
        what: what it holds, for the warning where none can be kept.
        setting_up: statements for every new connection: pragmas, and `CREATE TABLE IF NOT EXISTS`.
    """

    def __init__(self, path: Path, what: str, setting_up: Sequence[str]) -> None:
        self.path, self._what, self._setting_up, self._told = path, what, setting_up, False
        self._failures = 0
        self._place_on_disk: tuple[int, int] | None = None
        self._table = self._opened()

    def rows(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """What a statement gives; nothing where the file is damaged, locked, full or gone."""
        if self._table is None:
            return []
        try:
            found = self._table.execute(statement, values).fetchall()
        except (sqlite3.DatabaseError, ValueError) as error:  # damaged bytes may be no UTF-8
            if _is_damage(error):
                self._begin_anew()
            else:
                self._fail(error)
            return []
        self._failures = 0
        return found

    def close(self) -> None:
        if self._table is not None:
            self._table.close()
            self._table = None

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
        self._place_on_disk = _place(self.path)
        try:
            for statement in self._setting_up:
                table.execute(statement)
        except sqlite3.DatabaseError:
            table.close()
            raise
        return table

    def _fail(self, error: Exception) -> None:
        self._tell(error)
        self._failures += 1
        if self._failures == MOST_FAILURES:
            self.close()

    def _tell(self, error: Exception) -> None:
        """Once: what is made now will have to be made again."""
        if not self._told:
            logger.warning("%s: %s cannot be kept: %s", self.path, self._what, error)
        self._told = True

    def _begin_anew(self) -> None:
        self.close()
        self._remove()
        with suppress(OSError, sqlite3.DatabaseError):
            self._table = self._connected()

    def _remove(self) -> None:
        """The journal goes first: it would be played back into the next file of this name.

        Several processes meet the same damage: what one of them has begun anew, the next one does not remove.
        """
        if _place(self.path) != self._place_on_disk:
            return
        for place in (self.path.with_name(f"{self.path.name}-journal"), self.path):
            with suppress(OSError):
                place.unlink()


def _place(path: Path) -> tuple[int, int] | None:
    """Which file has this name at the moment."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_damage(error: Exception) -> bool:
    """Whether the file itself is bad; the lower byte of SQLite's code is the kind of an error, the rest its variety.

    A file that was emptied after it was opened is a sound one, only without the table.
    """
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED or "no such table" in str(error)
