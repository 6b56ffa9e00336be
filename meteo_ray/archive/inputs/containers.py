"""Tar and zip files of an archive, read in place: nothing is unpacked to disk.

Imports the standard library and its neighbours here only, because it runs in the guarded child. Not for several
threads: the container that was used last stays open.
"""

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from meteo_ray.archive.inputs.container_members import (
    DEFAULT_CONTAINER_LIMITS,
    ContainerKey,
    ContainerLimits,
    FoundMembers,
    Listing,
    require_within,
)
from meteo_ray.archive.inputs.tar_files import TarContainer
from meteo_ray.archive.inputs.zip_files import ZipContainer
from meteo_ray.imaging.decode import DecodeFailure

_opened: ZipContainer | TarContainer | None = None


def list_members(path: str, limits: ContainerLimits = DEFAULT_CONTAINER_LIMITS) -> Listing:
    """Every file in a tar or zip file, in its order; folders are passed over.

    Raises:
        DecodeFailure: for the container as a whole: `empty` when there is no file in it, `truncated` when it is
            damaged before its first member, `too_large` beyond `limits`, `io` when it cannot be read, `changed` when
            it is gone, `crashed` when memory runs out.
    """
    with _only_failures(path):
        container = _container(path, limits)
    found = FoundMembers(container.key)
    try:
        with _only_failures(path):
            container.add_members(found)
    except DecodeFailure as failure:
        close_container()  # a decompressor that has met damage is not used again
        if failure.reason != "truncated" or not found.members:
            raise
        return Listing(found.members, failure)
    if not found.members:
        raise DecodeFailure("error", "empty", "there is no file in the container")
    return Listing(found.members)


def read_member(path: str, position: int, size: int, limits: ContainerLimits = DEFAULT_CONTAINER_LIMITS) -> bytes:
    """The bytes of a member, by its position and size as listed. Fast when members are read in their order.

    Raises:
        DecodeFailure: `truncated` when it is damaged, `too_large` above `limits`, `format` or `special` for what
            `list_members` would have turned away, `io` when the container cannot be read, `changed` when it is gone
            or no longer holds the member, `crashed` when memory runs out.
    """
    if min(position, size) < 0:
        raise ValueError("no listing gives a negative position or size")
    require_within(size, limits.member_bytes, "bytes")
    with _only_failures(path):
        return _container(path, limits).read(position, size)


def close_container() -> None:
    """Close the container that was used last."""
    global _opened
    if _opened is not None:
        _opened.close()
    _opened = None


def _container(path: str, limits: ContainerLimits) -> ZipContainer | TarContainer:
    """The container at a path, opened unless it is open already."""
    global _opened
    if _opened is None or _opened.key != _key(path, limits, os.stat(path)):
        close_container()
        # Without O_NONBLOCK, opening a named pipe would wait for a writer forever.
        raw = io.FileIO(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)))
        try:
            _opened = _open(raw, path, limits)
        except BaseException:
            raw.close()
            raise
    return _opened


def _open(raw: io.FileIO, path: str, limits: ContainerLimits) -> ZipContainer | TarContainer:
    status = os.fstat(raw.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise DecodeFailure("error", "io", f"{path}: not a regular file")
    if not status.st_size:
        raise DecodeFailure("error", "empty", "the file has no bytes")
    key = _key(path, limits, status)
    return ZipContainer(raw, key) if path.lower().endswith(".zip") else TarContainer(raw, key)


def _key(path: str, limits: ContainerLimits, status: os.stat_result) -> ContainerKey:
    return ContainerKey(path, limits, status.st_size, status.st_mtime_ns, status.st_ino)


@contextmanager
def _only_failures(path: str) -> Iterator[None]:
    """Turns whatever is raised inside into a DecodeFailure."""
    try:
        yield
    except DecodeFailure:
        raise
    except MemoryError as error:
        raise DecodeFailure("error", "crashed", "out of memory while unpacking") from error
    except FileNotFoundError as error:
        raise DecodeFailure("error", "changed", f"{path}: no longer there") from error
    except Exception as error:  # decompressors and parsers raise nearly anything on damaged bytes
        # The storage's own errors carry a number; so does seeking to where a damaged header points.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise DecodeFailure("error", "io", f"{path}: {error.strerror}") from error
        detail = f"damaged, cut short or of an unsupported kind: {error}"
        raise DecodeFailure("error", "truncated", detail) from error
