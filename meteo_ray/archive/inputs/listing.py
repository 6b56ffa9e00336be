"""Lists an archive, one entry for every file, however odd its name; nothing is skipped in silence.

Ray's own readers drop `a?b.png` and hidden files, follow symbolic links in circles and stop at a name that is not
UTF-8; hence this walk. It streams: memory grows with the number of folders, not of files.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

from meteo_ray.archive.inputs.container_members import is_container
from meteo_ray.archive.inputs.object_store import StoredObject, pages_s3
from meteo_ray.errors import MachineFault
from meteo_ray.files import image_id, storable
from meteo_ray.imaging.decode import modification_time
from meteo_ray.schema import ERROR, REJECTED

OUTSIDE = "path"  # a link that leaves the archive
SPECIAL = "special"  # a pipe, socket or device: opening it could block for ever
UNREADABLE = "io"

# What is wrong with a path, not with its storage.
FACTS = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)

# Storage under load answers again within seconds; 0.5 + 2 + 8 s are waited before a folder counts as out of reach.
SCAN_WAITS_S = (0.5, 2.0, 8.0)


@dataclass(frozen=True, slots=True)
class Entry:
    """A listed file, or a member of a tar or zip file.

    `path` is what rows show; `name` the bytes by which the file, or the container of a member, is opened, relative to
    the archive. `position` is where a member stands in its container, -1 for a file. `status` is empty for what is to
    be judged, else what the listing already knows about it.
    """

    image_id: str
    path: str
    name: bytes
    position: int = -1
    size: int = 0
    modified_ns: int = 0
    status: str = ""
    reason: str = ""
    detail: str = ""


def entry(
    relative: bytes, size: int = 0, modified_ns: int = 0, status: str = "", reason: str = "", detail: str = ""
) -> Entry:
    """A file's entry; bytes of its name that are no UTF-8 are shown as escapes."""
    shown = relative.decode(errors="backslashreplace")
    return Entry(image_id(relative), shown, relative, -1, size, modified_ns, status, reason, detail)


def member_entry(container: Entry, member: dict[str, object]) -> Entry:
    """The entry of a member, as `guarded_reading.list_container` tells of it; its path continues its container's."""
    inner = f"/{member['name']}"
    return Entry(
        image_id(container.name + inner.encode(errors="surrogatepass")),
        container.path + inner.encode(errors="backslashreplace").decode(),
        container.name,
        int(str(member["position"])),
        int(str(member["size"])),
        container.modified_ns,
        *(str(member[key]) for key in ("status", "reason", "detail")),
    )


def list_local(root: Path, members: Callable[[Entry], Iterator[Entry]] | None = None) -> Iterator[Entry]:
    """Every file under a local folder, in the order in which the file system gives them.

    A link to a file inside the archive is a row of its own; a link to a folder inside it is passed over, because the
    files behind it are listed where they stand. What leaves the archive, dangles or may not be read becomes a row with
    a status. A folder whose scan fails is scanned again from its start, so entries may come twice.

    Args:
        members: gives the entries of a tar or zip file in its place; without it they are files like others.

    Raises:
        MachineFault: when a folder cannot be scanned to its end for reasons other than its permissions; then the
            listing is unfinished.
    """
    top = os.path.realpath(os.fsencode(root))
    folders = [top]
    while folders:
        folder = folders.pop()
        for found in _scan_persistently(folder, top, folders):
            if members is not None and not found.status and is_container(found.path):
                yield from members(found)
            else:
                yield found


def _scan_persistently(folder: bytes, top: bytes, folders: list[bytes]) -> Iterator[Entry]:
    """The entries of one folder; its sub-folders are added to `folders` once it has been read whole."""
    for wait_s in (*SCAN_WAITS_S, None):
        below: list[bytes] = []
        try:
            yield from _scan(folder, top, below, patient=wait_s is not None)
        except PermissionError as error:  # a fact about the folder, not a fault
            if folder == top:
                raise MachineFault(f"--archive {os.fsdecode(top)}: {error.strerror}; run again with --resume") from None
            what = "this folder may not be looked into"
            yield entry(os.path.relpath(folder, top) + b"/", status=ERROR, reason=UNREADABLE, detail=what)
        except FileNotFoundError:  # removed since the folder above was read, with all that there was to list
            require_root(top)
        except OSError as error:
            if wait_s is None:
                where = os.fsdecode(folder)
                raise MachineFault(f"{where}: cannot be listed to its end: {error.strerror}") from error
            time.sleep(wait_s)
            continue
        folders.extend(below)
        return


def require_root(root: str | bytes) -> None:
    """What vanishes because the archive as a whole has gone is no fact about files.

    Raises:
        MachineFault: when there is nothing in the archive's folder any more.
    """
    try:
        with os.scandir(root) as found:
            if any(True for _ in found):
                return
        problem = "is empty now; was it unmounted?"
    except OSError as error:
        problem = str(error.strerror)
    raise MachineFault(f"--archive {storable(os.fsdecode(root))}: {problem} Mend it and run again with --resume")


def _scan(folder: bytes, top: bytes, below: list[bytes], patient: bool) -> Iterator[Entry]:
    with os.scandir(folder) as found:
        for item in found:
            if item.is_dir(follow_symlinks=False):
                below.append(item.path)
            elif (listed := _local_entry(item, top, patient)) is not None:
                yield listed


def _local_entry(item: "os.DirEntry[bytes]", top: bytes, patient: bool) -> Entry | None:
    relative = os.path.relpath(item.path, top)
    try:
        if item.is_symlink():
            target = os.path.realpath(item.path, strict=True)
            if os.path.commonpath([top, target]) != top:
                what = f"a link that leads out of the archive, to {os.fsdecode(target)}"
                return entry(relative, status=REJECTED, reason=OUTSIDE, detail=storable(what))
            if os.path.isdir(target):
                return None
        status = item.stat()
    except OSError as error:
        if patient and error.errno not in FACTS:
            raise  # the storage failed: the folder is scanned again
        require_root(top)
        if isinstance(error, FileNotFoundError) and not item.is_symlink():  # removed a moment ago: no file any more
            return None
        what = "a link to nowhere" if item.is_symlink() else "it may not be looked at"
        return entry(relative, status=ERROR, reason=UNREADABLE, detail=f"{what}: {error.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return entry(relative, status=REJECTED, reason=SPECIAL, detail="a device, pipe or socket")
    return entry(relative, status.st_size, modification_time(status))


def list_paths(paths: Iterator[str], folder: Path) -> Iterator[Entry]:
    """The files that a list names, relative to `folder` or absolute, in its order."""
    for path in paths:
        name = os.fsencode(path)
        status = _status_persistently(os.path.join(os.fsencode(folder), name))
        if status is None:
            yield entry(name, status=ERROR, reason=UNREADABLE, detail="no such file")
        elif stat.S_ISREG(status.st_mode):
            yield entry(name, status.st_size, modification_time(status))
        else:
            what = "a folder, not a file" if stat.S_ISDIR(status.st_mode) else "a device, pipe or socket"
            yield entry(name, status=REJECTED, reason=SPECIAL, detail=what)


def _status_persistently(place: bytes) -> os.stat_result | None:
    """A file's status; None when there is none, or it is not ours to see."""
    for wait_s in (*SCAN_WAITS_S, None):
        try:
            return os.stat(place)
        except ValueError:  # a NUL in the name
            return None
        except OSError as error:
            if error.errno in FACTS:
                return None
            if wait_s is None:
                raise MachineFault(f"{os.fsdecode(place)}: out of reach: {error.strerror}") from error
            time.sleep(wait_s)
    raise AssertionError("unreachable")


def list_remote(uri: str, filesystem: fs.FileSystem, root: str) -> Iterator[Entry]:
    """Every object under a URI: a page of a bucket at a time from S3, else a folder at a time by any pyarrow file
    system.

    Raises:
        MachineFault: when the store stops answering; then the listing is unfinished.
    """
    try:
        if uri.startswith("s3://"):
            for page in pages_s3(uri):
                yield from (_stored_entry(item) for item in page)
        else:
            yield from _walk_remote(filesystem, root)
    except OSError as error:
        raise MachineFault(f"the archive cannot be listed to its end: {error}") from error


def _stored_entry(item: StoredObject) -> Entry:
    """A key that is no path (`a//b`) cannot be opened, but has a row."""
    refused = {"status": REJECTED, "reason": OUTSIDE, "detail": "a key that is no path"}
    status = {} if item.can_be_opened else refused
    return entry(item.key.encode(), item.size, item.modified_ns, **status)


def _walk_remote(filesystem: fs.FileSystem, root: str) -> Iterator[Entry]:
    folders = [root]
    while folders:
        for item in filesystem.get_file_info(fs.FileSelector(folders.pop())):
            if item.type == fs.FileType.Directory:
                folders.append(item.path)
            else:
                relative = item.path[len(root.rstrip("/")) + 1 :]
                yield entry(relative.encode(), item.size or 0, item.mtime_ns or 0)
