"""Lays one image after another into its folder; nothing is written where the right one stands already."""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from meteo_ray.errors import UsageError
from meteo_ray.files import SIGN

Kind = Literal["links", "copies"]

SCRATCH = ".sorted.tmp"

# FAT and some shares keep times to two seconds.
SAME_TIME_NS = 2_000_000_000


class Placer:
    """Puts images into place, one at a time; nothing is written where the right one stands already."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.folder, self.kind, self.scratch = folder, kind, folder / SCRATCH
        self._taken: dict[str, Path] = {}
        self.scratch.unlink(missing_ok=True)  # of a call that was killed

    def place(self, original: Path | bytes, home: str, name: str) -> bool:
        """False when the original turns out to be gone."""
        if home not in self._taken:
            self._taken[home] = _take(self.folder / home)
        place = self._taken[home] / name
        if isinstance(original, bytes):
            return self._write(original, place)
        return self._link(original, place) if self.kind == "links" else self._copy(original, place)

    def _write(self, content: bytes, place: Path) -> bool:
        if not _holds(place, content):
            self.scratch.write_bytes(content)
            os.replace(self.scratch, place)
        return True

    def _link(self, original: Path, place: Path) -> bool:
        target = original.absolute()
        if not _links_to(place, target):
            with _explained_link_errors(self.folder):
                self.scratch.symlink_to(target)
            os.replace(self.scratch, place)
        return True

    def _copy(self, original: Path, place: Path) -> bool:
        try:
            source = original.open("rb")
        except (FileNotFoundError, NotADirectoryError, PermissionError):  # not there, or not for us, any longer
            return False
        with source:
            status = os.fstat(source.fileno())
            if not _is_copy(place, status):
                # Not synced to the disk one by one: what a power cut leaves has another size and is copied again.
                with self.scratch.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
                os.utime(self.scratch, ns=(status.st_atime_ns, status.st_mtime_ns))
                os.replace(self.scratch, place)
        return True


@contextmanager
def _explained_link_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):  # FAT and some shares
            raise UsageError(f"{folder}: its file system knows no links; choose copies, or another place") from None
        raise


def _take(folder: Path) -> Path:
    """Make a product's folder, with a sign that we may remove images from it."""
    folder.mkdir(exist_ok=True)
    if holds_only_sign(folder) and not is_ours(folder):
        (folder / SIGN).write_bytes(os.fsencode(folder.name))
    return folder


def is_ours(folder: Path) -> bool:
    """The sign names its folder: a user's copy of the folder, or one under a new name, is the user's."""
    try:
        return (folder / SIGN).read_bytes() == os.fsencode(folder.name)
    except OSError:
        return False


def holds_only_sign(folder: Path) -> bool:
    with os.scandir(folder) as found:
        return all(entry.name == SIGN for entry in found)


def _links_to(place: Path, target: Path) -> bool:
    try:
        return os.readlink(place) == str(target)
    except OSError:  # nothing there, or no link
        return False


def _holds(place: Path, content: bytes) -> bool:
    status = _file_status(place)
    return status is not None and status.st_size == len(content) and place.read_bytes() == content


def _is_copy(place: Path, original: os.stat_result) -> bool:
    status = _file_status(place)
    if status is None or status.st_size != original.st_size:
        return False
    return abs(status.st_mtime_ns - original.st_mtime_ns) <= SAME_TIME_NS


def _file_status(place: Path) -> os.stat_result | None:
    """None where no regular file stands; what a link points to does not count."""
    try:
        status = place.lstat()
    except FileNotFoundError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None
