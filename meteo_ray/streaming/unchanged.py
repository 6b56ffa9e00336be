"""Whether an image's file still holds the bytes that were indexed."""

import hashlib
import os
from pathlib import Path

from meteo_ray.imaging.decode import DecodeFailure, read_bytes

# Files remembered by a process: about 100 bytes each.
MOST_REMEMBERED = 2**20

_seen: set[int] = set()


def require_unchanged(path: str, actual: str, expected: str) -> None:
    """Raises DecodeFailure where an image's sha256 is not that of the index."""
    if actual != expected:
        raise DecodeFailure("error", "changed", f"{path}: not the bytes that were indexed; run jobs/prepare_data.py")


def read_unchanged(path: Path, sha256: str) -> bytes:
    """The file's bytes. Raises DecodeFailure as `read_bytes` does, and where they are not those of the index."""
    mark = _mark(path, sha256)
    data = read_bytes(path)
    require_unchanged(str(path), hashlib.sha256(data).hexdigest(), sha256)
    if len(_seen) >= MOST_REMEMBERED:
        _seen.clear()
    _seen.add(mark)
    return data


def require_unchanged_file(path: Path, sha256: str) -> None:
    """The same for a file whose bytes are not wanted: what was made of them is known.

    Each process reads a file through once, and again only when its size, its times or its place on the disk have
    changed since: a look that costs microseconds, where reading and hashing cost half a millisecond.
    """
    if _mark(path, sha256) not in _seen:
        read_unchanged(path, sha256)


def _mark(path: Path, sha256: str) -> int:
    try:
        status = os.stat(path)
    except OSError as error:
        raise DecodeFailure("error", "changed", f"{path}: {error.strerror}") from error
    state = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)
    return hash((os.fspath(path), sha256, state))
