"""Pixels that were made before, kept by what they depend on: for every epoch, stage, trial and job that wants them.

Compressed without loss (LZ4) in SQLite files: data workers, jobs and trials fill and read them at once, an entry is
there whole or not at all, and with its checksum nothing damaged is ever taken. Pages are read and not mapped: where a
disk fails, a mapped page would kill the process, and Ray would start it again for ever. The files are meant for a
disk of this machine: on several machines each needs a cache of its own (--cache).

A chart of 640 x 480 pixels takes a fifth of its 0.9 MB and comes back in 0.3 ms; drawing, decoding and scaling the
original costs twenty times that.
"""

import json
import logging
import os
import shutil
import threading
import time
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from meteo_ray.cache_file import CacheFile
from meteo_ray.streaming.config import MOST_CACHE_GB

logger = logging.getLogger("meteo_ray")

FOLDER = "images"

# Files of one store: a commit takes a millisecond, in which nobody else may write to its file, and making an entry
# ten; even thirty workers, all of them writing, hardly ever wait for each other.
FILES = 16

# What stays free on the disk: checkpoints and bundles go there too.
RESERVED_BYTES = 2 * 2**30

# Room is looked up this often; meanwhile a store grows by less than the reserve.
ROOM_INTERVAL_S = 2.0

SETTING_UP = (
    "PRAGMA page_size = 16384",  # an entry of 200 KB is a chain of 12 pages instead of 50
    "PRAGMA journal_mode = TRUNCATE",
    # Nothing waits for the disk: after a power failure a file may be damaged, which is noticed, and it is made anew.
    "PRAGMA synchronous = OFF",
    """CREATE TABLE IF NOT EXISTS images (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL, height INTEGER NOT NULL, width INTEGER NOT NULL,
        record TEXT NOT NULL, pixels BLOB NOT NULL, checksum INTEGER NOT NULL)""",
)

Entry = tuple[np.ndarray, dict[str, Any]]
"""uint8 RGB `(height, width, 3)`, and what is to be remembered of it in JSON values."""


@dataclass(frozen=True)
class ImageStore:
    """Entries by key, 64 hex digits. Picklable; each process and thread opens the files for itself.

    `most_gb` (10^9 bytes) is what all files together may take: then, or on a full disk, nothing more is kept.
    """

    cache: Path
    most_gb: float = MOST_CACHE_GB

    @property
    def folder(self) -> Path:
        return self.cache / FOLDER

    def get(self, key: str) -> Entry | None:
        """What was kept under the key; None when there is nothing, or nothing whole."""
        query = "SELECT key, height, width, record, pixels, checksum FROM images WHERE id = ?"
        for found, height, width, record, packed, checksum in self._file(key).rows(query, (_number(key),)):
            whole = isinstance(packed, bytes) and checksum == _checksum(key, height, width, record, packed)
            if found == key and whole:
                return _unpacked(packed, height, width), json.loads(record)
        return None

    def put(self, key: str, pixels: np.ndarray, record: dict[str, Any]) -> None:
        """Keep an entry, where there is room for it."""
        if self.room() <= 0:
            return
        height, width = pixels.shape[:2]
        packed = _codec().compress(np.ascontiguousarray(pixels), asbytes=True)
        text = json.dumps(record, ensure_ascii=False)
        values = (_number(key), key, height, width, text, packed, _checksum(key, height, width, text, packed))
        self._file(key).rows("INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def room(self) -> int:
        """Bytes that may still be kept, as looked up within the last seconds."""
        return _room(self.folder, round(self.most_gb * 1e9), int(time.monotonic() / ROOM_INTERVAL_S))

    def tell_if_full(self) -> None:
        """One line in the log when nothing more can be kept; once in a process."""
        if self.room() <= 0:
            _tell(self.folder, self.most_gb)

    def _file(self, key: str) -> CacheFile:
        path = self.folder / f"{int(key[:8], 16) % FILES:02d}.sqlite"
        return _opened(path, os.getpid(), threading.get_ident())


@lru_cache(maxsize=4 * FILES)
def _opened(path: Path, process: int, thread: int) -> CacheFile:
    """Connections are neither for two threads nor for both sides of a fork."""
    return CacheFile(path, "images", SETTING_UP)


@lru_cache(maxsize=4)
def _room(folder: Path, most: int, period: int) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = sum(path.stat().st_size for path in folder.glob("*.sqlite"))
        return min(most - taken, shutil.disk_usage(folder).free - RESERVED_BYTES)
    except OSError:
        return 0


@lru_cache(maxsize=4)
def _tell(folder: Path, most_gb: float) -> None:
    logger.warning(
        "%s takes no more images: it holds the %g GB of --cache-gb, less than %g GB are free on its disk, or it cannot "
        "be written to; further ones are decoded in every epoch. Allow more, name another --cache, or remove that "
        "folder if what it holds is no longer needed",
        folder,
        most_gb,
        RESERVED_BYTES / 1e9,
    )


@lru_cache(maxsize=1)
def _codec() -> pa.Codec:
    return pa.Codec("lz4_raw")


def _unpacked(packed: bytes, height: int, width: int) -> np.ndarray:
    plain = _codec().decompress(packed, height * width * 3)
    return np.frombuffer(plain, dtype=np.uint8).reshape(height, width, 3)


def _number(key: str) -> int:
    """SQLite's row numbers have 63 bits; the whole key is compared after."""
    return int(key[:15], 16)


def _checksum(key: str, height: int, width: int, record: str, packed: bytes) -> int:
    return zlib.crc32(packed, zlib.crc32(f"{key} {height} {width} {record}".encode()))
