"""Who brings a content to judgement: the same bytes are judged once, whatever their paths.

Readers ask before they decode; the first file with a content owns it. The others wait for its row, of which they get
a copy (see archive.twins).
"""

import sqlite3
from collections.abc import Iterable
from typing import Protocol


class Claims(Protocol):
    """What readers ask."""

    def owners(self, contents: list[tuple[str, str]]) -> list[str]:
        """The images that own some contents, given as (sha256, image_id); the id itself where nobody asked before."""
        ...


class ClaimTable:
    """Owners by content, in a temporary table that SQLite keeps on disk when it grows: memory stays flat."""

    def __init__(self) -> None:
        self._table = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._table.execute("CREATE TABLE owners (sha256 TEXT PRIMARY KEY, image_id TEXT) WITHOUT ROWID")
        self._table.execute("BEGIN")  # never ended: nothing here has to outlive the process

    def owners(self, contents: list[tuple[str, str]]) -> list[str]:
        self.know(contents)
        return [self._owner(sha256) for sha256, _ in contents]

    def know(self, owners: Iterable[tuple[str, str]]) -> None:
        """Take over (sha256, image_id) of rows that an earlier call has committed."""
        self._table.executemany("INSERT INTO owners VALUES (?, ?) ON CONFLICT DO NOTHING", owners)

    def _owner(self, sha256: str) -> str:
        ((owner,),) = self._table.execute("SELECT image_id FROM owners WHERE sha256 = ?", (sha256,))
        return str(owner)

    def release(self, contents: Iterable[str]) -> None:
        """Forget owners whose row says nothing about the content; the next file with it is judged."""
        self._table.executemany("DELETE FROM owners WHERE sha256 = ?", ((sha256,) for sha256 in contents))
