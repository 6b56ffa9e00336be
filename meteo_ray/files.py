"""Files and folders that a reader sees whole or not at all, and names that a page can show as they are."""

import ctypes
import errno
import hashlib
import json
import logging
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from meteo_ray.errors import MachineFault, MeteoRayError, UsageError

logger = logging.getLogger("meteo_ray")

# A full disk, one that fails, a share that is gone, no more open files: no mistake in what the user named.
OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE)

# What network mounts without a lock service answer.
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP)

SIGN = ".made_by_meteo_ray"
"""An empty file in folders that this program made and may one day be told to replace."""


def image_id(relative_path: str | bytes) -> str:
    """First 16 hex digits of sha256 of the path's bytes: one number for one place, on every machine."""
    raw = relative_path.encode("utf-8") if isinstance(relative_path, str) else relative_path
    return hashlib.sha256(raw).hexdigest()[:16]


def sha256_of(path: Path) -> str:
    """The file's SHA-256 as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Write beside the place and rename. Bytes of a name that are no UTF-8 become escapes, in JSON those of JSON."""
    scratch = path.with_name(f".{path.name}.tmp")
    scratch.write_text(text, "utf-8", errors="backslashreplace")
    os.replace(scratch, path)


def write_json(path: Path, document: Any) -> None:
    """Write a document that people can read, whole or not at all; NaN and infinity are refused with ValueError."""
    write_atomically(path, json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


@contextmanager
def safely_replaced(path: Path) -> Iterator[BinaryIO]:
    """What is written to the file stands beside its place, is seen safe on the disk, and is renamed."""
    scratch = path.with_name(f".{path.name}")
    try:
        with scratch.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table, whole or not at all."""
    with safely_replaced(path) as file:
        pq.write_table(table, file)


def numbered_files(folder: Path, name: str) -> list[Path]:
    """The Parquet files `name-00000.parquet`, `name-00001.parquet`, ... of a folder, in order."""
    return sorted(folder.glob(f"{name}-*.parquet"), key=lambda path: (len(path.name), path.name))


def read_json(path: Path) -> dict[str, Any]:
    """Raises UsageError naming the file when it cannot be read."""
    try:
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return document
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot read: {error}") from None


def require_ours(folder: Path, what: str, *signs: str) -> None:
    """Refuse to replace or remove a folder that this program did not make.

    Args:
        folder: what is about to go. Absent and empty ones are free to take.
        what: what we would have made, for the message.
        signs: files or folders of which only we leave one in it; SIGN is always one.

    Raises:
        UsageError: naming the folder; nothing has been touched.
    """
    if folder.is_dir() and not any((folder / sign).exists() for sign in (SIGN, *signs)) and any(folder.iterdir()):
        raise UsageError(
            f"{folder}: holds files, but no {what} made here before; empty it yourself or name another place"
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; name another place for the {what}")


def require_file_place(path: Path, flag: str = "--out") -> None:
    """Refuse a place for scores, and for the page of the same name that lies beside them, before any work is done.

    Raises:
        UsageError: when it is a folder, lies below a file, or would be overwritten by its own page.
    """
    page = path.with_suffix(".html")
    if path.is_dir() or page.is_dir():
        raise UsageError(f"{flag} {path if path.is_dir() else page}: is a folder; name a file, such as scores.json")
    if path == page:
        raise UsageError(f"{flag} {path}: is where the page goes; name the scores' file, such as {path.stem}.json")
    above = next((parent for parent in path.parents if parent.exists()), None)
    if above is not None and not above.is_dir():
        raise UsageError(f"{flag} {path}: {above} is a file, no folder")


def make_folder(folder: Path, flag: str = "") -> None:
    """Make a folder that the user named, and those above it; `flag` is what named it, for the message.

    Raises:
        UsageError: when it cannot be made, or stands there and may not be written to.
        MachineFault: when the disk is full or fails.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(f"{flag} {folder}".lstrip(), error) from None
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{flag} {folder}: cannot be written to: {os.strerror(errno.EACCES)}".lstrip())


def _cannot_write(place: str, error: OSError) -> MeteoRayError:
    kind = MachineFault if error.errno in OF_THE_MACHINE else UsageError
    return kind(f"{place}: cannot be written to: {error.strerror}")


@contextmanager
def held(folder: Path, busy: str) -> Iterator[None]:
    """Keep other jobs out of a folder, by a locked file beside it, until the block ends or this process dies.

    On a mount that knows no locks a warning takes its place.

    Raises:
        UsageError: at once, with the message `busy`, when another job holds it; when it cannot be written to.
        MachineFault: when the disk is full or fails.
    """
    make_folder(folder.parent)
    lock = FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(busy) from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise _cannot_write(str(folder.parent), error) from None
        logger.warning("%s: this file system knows no locks (%s); run no second job there", folder, error.strerror)
    try:
        yield
    finally:
        lock.release()


def replace_folder(scratch: Path, folder: Path) -> None:
    """Put `scratch` in the place of `folder` in one step: a reader finds the old one or the new one, never none.

    Where the system cannot exchange two names (outside of Linux, or on some network mounts) there is a moment between
    two renames. What stood there is removed last.
    """
    if not folder.exists():
        scratch.rename(folder)
        return
    if not _exchange(scratch, folder):
        old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
        folder.rename(old)
        scratch.rename(folder)
        scratch = old
    shutil.rmtree(scratch, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder in one step: nothing of it stays under its name, however its removal ends.

    What a kill, or a file that cannot go, leaves of it lies beside it under a hidden name, until the next time.

    Raises:
        UsageError: when it cannot be moved away; nothing has been touched.
    """
    for rest in folder.parent.glob(f".{escape(folder.name)}.*.removed"):
        shutil.rmtree(rest, ignore_errors=True)
    if not folder.exists():
        return
    gone = folder.with_name(f".{folder.name}.{uuid4().hex[:8]}.removed")
    try:
        folder.rename(gone)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be removed ({error.strerror}); remove it yourself") from None
    shutil.rmtree(gone, ignore_errors=True)


def _exchange(first: Path, second: Path) -> bool:
    """Swap two names atomically; False where the system cannot."""
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    if renameat2 is None:
        return False
    here, exchange = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of linux/fcntl.h and linux/fs.h
    return renameat2(here, os.fsencode(first), here, os.fsencode(second), exchange) == 0


def without_secrets(place: str | Path) -> str:
    """A path or URI as it may stand in logs, reports and records, with *** for what could be a key.

    That is what stands before the `@` of a URI (a secret may hold `/` and `@` itself; after a `:` everything up to the
    last `@` is taken for it), but for stores that name a container or a user there; and the values of its query, but
    for those that only tell where to look.
    """
    hidden = str(place)
    if not re.match(r"(abfss?|hdfs|viewfs)://", hidden, re.IGNORECASE):
        hidden = re.sub(r"^([a-z0-9+.-]+://)(?:[^/@:]*:.*@|[^/@]*@)", r"\1***@", hidden, flags=re.IGNORECASE)
    if "://" not in hidden:
        return hidden
    return re.sub(r"([?&])(?!(?:region|scheme|endpoint_override)=)([^=&#]*)=[^&#]*", r"\1\2=***", hidden)


def place_on_record(place: str | Path) -> str:
    """A folder, or a URI without secrets, as a record keeps it: to be found from wherever a job is started."""
    shown = without_secrets(place)
    return shown if "://" in shown else str(Path(shown).resolve())


def storable(text: str) -> str:
    """The text with bytes that are no UTF-8 written out, as Parquet and JSON need it."""
    return text.encode(errors="backslashreplace").decode()


def visible(text: str | None) -> str:
    """The text with control and direction characters written out, so that a file name cannot pose as another."""
    shown = []
    for character in text or "":
        # Cc: control (newline, escape); Cf: format (right-to-left override, zero width); Cs: lone surrogates.
        hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        shown.append(f"\\u{ord(character):04x}" if hidden else character)
    return "".join(shown)
