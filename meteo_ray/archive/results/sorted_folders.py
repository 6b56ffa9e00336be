"""Puts every judged image into the folder of its product, as a link or as a copy.

    sorted/<product>/       charts of this product
    sorted/no_product/      charts that the products stage has not named
    sorted/not_a_chart/     what the gate turned away

A further call finds what stands right and leaves it; an image that is now judged otherwise moves. What else users lay
into these folders stays: only names that stand for an image of the predictions, in product folders that were made here,
are ever replaced or removed.
"""

import errno
import logging
import os
import shutil
import stat
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from meteo_ray.archive.results.writer import read_parts
from meteo_ray.errors import UsageError
from meteo_ray.files import SIGN, image_id, require_ours, visible
from meteo_ray.progress import ProgressLine
from meteo_ray.schema import OK

logger = logging.getLogger("meteo_ray")

Kind = Literal["links", "copies"]
Originals = Callable[[dict[str, Any]], Path | bytes | None]

NO_PRODUCT, NOT_A_CHART = "no_product", "not_a_chart"
SCRATCH = ".sorted.tmp"

# File systems end at 255 bytes, some encrypted or shared ones well before it.
NAME_BYTES = 200
SUFFIX_BYTES = 16  # what is longer is no suffix, but a name with a dot in it
ID_DIGITS = 8

# FAT and some shares keep times to two seconds.
SAME_TIME_NS = 2_000_000_000

_LEFT_OUT = ""  # the home of rows that are not ok


def sort_into_folders(predictions: Path, folder: Path, originals: Originals, kind: Kind) -> int:
    """Place every image whose row is ok below `folder`; how many stand there, new or from before, comes back.

    Interrupted, or out of disk, it goes on when it is called again: nothing stands half-written under its final name.

    Args:
        originals: where a row's image lies on this machine; or its bytes, which are copied whatever the kind; or None
            when it is gone. Of an image that is gone, what a former call placed stays.
        kind: symbolic links with absolute targets, or copies that keep the modification time.

    Raises:
        UsageError: when `folder` holds files and was not made here, cannot hold links, or when a part is damaged.
        OSError: when the disk is full or read-only.
    """
    require_ours(folder, "sorted images")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / SIGN).exists():
        (folder / SIGN).touch()
    homes = _Homes()
    try:
        placed, gone = _place_all(predictions, _Placer(folder, kind), originals, homes)
    finally:
        (folder / SCRATCH).unlink(missing_ok=True)
    _remove_elsewhere(folder, homes)
    if gone:
        logger.warning("%s: %d images left out, because their originals are gone", folder, gone)
    return placed


def file_name(path: str, number: str, shared: frozenset[str] = frozenset()) -> str:
    """`<stem>_<first digits of the image's id><suffix>`: safe anywhere, at most NAME_BYTES long.

    Args:
        path: the image's place in the archive; its last part gives stem and suffix.
        number: its id.
        shared: beginnings of ids that more than one image has: those take the whole id.
    """
    beginning = number[:ID_DIGITS]
    stem, suffix = os.path.splitext(_shown(path.rsplit("/", 1)[-1]))
    suffix = suffix.rstrip(". ")
    if len(suffix.encode()) > SUFFIX_BYTES:
        stem, suffix = stem + suffix, ""
    tail = f"_{number if beginning in shared else beginning}{suffix}"
    return (_safe(stem, NAME_BYTES - len(tail.encode())) or "image") + tail


@lru_cache(maxsize=1024)
def folder_name(product: str) -> str:
    """The product's id where it can name a folder; else what is left of it and a number, so that no two are one."""
    number = f"_{image_id(product)[:ID_DIGITS]}"
    safe = _safe(product, NAME_BYTES - len(number))
    as_it_is = safe == product and safe not in ("", NO_PRODUCT, NOT_A_CHART)
    return safe if as_it_is else (safe or "product") + number


def _safe(text: str, limit: int) -> str:
    """At most `limit` bytes, cut at a character; no leading dot or dash, nothing at the end that Windows drops."""
    name = _shown(text).replace("/", "_").lstrip(".- ")
    return name.encode()[:limit].decode(errors="ignore").rstrip(". ")


def _shown(text: str) -> str:
    return text if text.isprintable() else visible(text)  # visible() is slow, and hardly a name needs it


def _home(row: dict[str, Any]) -> str:
    if row["status"] != OK:
        return _LEFT_OUT
    if not row["is_meteo"]:
        return NOT_A_CHART
    return NO_PRODUCT if row["product"] is None else folder_name(row["product"])


def _shared_beginnings(predictions: Path) -> frozenset[str]:
    """Beginnings that several ids have: 32 bits are too few to tell millions of images apart."""
    beginnings = array("I")
    for table, _ in read_parts(predictions, ["image_id"]):
        beginnings.extend(int(number[:ID_DIGITS], 16) for number in table["image_id"].to_pylist())
    ordered = np.sort(np.array(beginnings, dtype=np.uint32))
    shared = ordered[1:][ordered[1:] == ordered[:-1]]
    return frozenset(f"{number:0{ID_DIGITS}x}" for number in shared.tolist())


class _Homes:
    """The folder in which each image belongs. It takes 12 bytes an image: millions of names would fill the memory."""

    def __init__(self) -> None:
        self._numbers, self._folders = array("Q"), array("i")
        self._names: dict[str, int] = {}

    def add(self, name: str, home: str) -> None:
        self._numbers.append(_number(name))
        self._folders.append(self._names.setdefault(home, len(self._names)))

    def finder(self) -> Callable[[str], str | None]:
        """What tells the folder in which a name belongs; None where no image has the name."""
        names = list(self._names)
        numbers, folders = np.array(self._numbers, dtype=np.uint64), np.array(self._folders, dtype=np.int32)
        order = np.argsort(numbers)
        numbers, folders = numbers[order], folders[order]

        def find(name: str) -> str | None:
            number = np.uint64(_number(name))
            position = np.searchsorted(numbers, number)
            known = position < len(numbers) and numbers[position] == number
            return names[folders[position]] if known else None

        return find


def _number(name: str) -> int:
    return int(image_id(os.fsencode(name)), 16)


class _Placer:
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


def _place_all(predictions: Path, placer: _Placer, originals: Originals, homes: _Homes) -> tuple[int, int]:
    """Number of images that stand in their place, and of those whose original is gone."""
    placed = gone = 0
    shared = _shared_beginnings(predictions)
    progress = ProgressLine("sorting", total=None)
    for table, _ in read_parts(predictions):
        for row in table.to_pylist():
            name, home = file_name(row["path"], row["image_id"], shared), _home(row)
            if home != _LEFT_OUT:
                original = originals(row)
                if original is None or not placer.place(original, home, name):
                    gone += 1
                    continue  # no home: a copy may be all that is left of it
                placed += 1
            homes.add(name, home)
        progress.update(table.num_rows)
    progress.close()
    return placed, gone


def _take(folder: Path) -> Path:
    """Make a product's folder, with a sign that we may remove images from it."""
    folder.mkdir(exist_ok=True)
    if _holds_only_sign(folder) and not _is_ours(folder):
        (folder / SIGN).write_bytes(os.fsencode(folder.name))
    return folder


def _is_ours(folder: Path) -> bool:
    """The sign names its folder: a user's copy of the folder, or one under a new name, is the user's."""
    try:
        return (folder / SIGN).read_bytes() == os.fsencode(folder.name)
    except OSError:
        return False


def _holds_only_sign(folder: Path) -> bool:
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


def _remove_elsewhere(folder: Path, homes: _Homes) -> None:
    """Remove images from product folders in which they no longer belong; a folder that this empties goes too."""
    find = homes.finder()
    with os.scandir(folder) as found:
        ours = [Path(entry.path) for entry in found if entry.is_dir(follow_symlinks=False)]
    for product in ours:
        if _is_ours(product) and _remove_strays(product, find) and _holds_only_sign(product):
            (product / SIGN).unlink()
            product.rmdir()


def _remove_strays(product: Path, find: Callable[[str], str | None]) -> int:
    removed = 0
    with os.scandir(product) as found:
        for entry in found:
            home = find(entry.name)
            if home is None or home == product.name or entry.is_dir(follow_symlinks=False):
                continue
            if _may_go(Path(entry.path), home):
                os.unlink(entry.path)
                removed += 1
    return removed


def _may_go(stray: Path, home: str) -> bool:
    if home == _LEFT_OUT:
        return stray.is_symlink()  # a copy may be the last good one of a file that is broken now
    try:
        at_home = (stray.parent.parent / home / stray.name).lstat()
    except FileNotFoundError:
        return False
    # On shares that ignore case two products may have one folder, and then this is no second file.
    return not os.path.samestat(stray.lstat(), at_home)
