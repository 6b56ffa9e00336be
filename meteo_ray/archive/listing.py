"""Lists an archive, one entry for every file, however odd its name; nothing is skipped in silence.

Ray's own readers drop `a?b.png` and hidden files, follow symbolic links in circles and stop at a name that is not
UTF-8; hence this walk. It streams: memory grows with the number of folders, not of files.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

from meteo_ray.files import image_id
from meteo_ray.schema import ERROR, REJECTED

OUTSIDE = "path"  # a link that leaves the archive
SPECIAL = "special"  # a pipe, socket or device: opening it could block for ever
UNREADABLE = "io"
BAD_NAME = "name"  # not UTF-8: Parquet and HTML cannot carry the name as it is


@dataclass(frozen=True, slots=True)
class Entry:
    """A listed file. `status` is empty for a file to be judged, else what the listing already knows about it."""

    image_id: str
    path: str
    size: int = 0
    modified_ns: int = 0
    status: str = ""
    reason: str = ""


def list_local(root: Path) -> Iterator[Entry]:
    """Every file under a local folder, in the order in which the file system gives them.

    A link to a file inside the archive is a row of its own; a link to a folder inside it is passed over, because the
    files behind it are listed where they stand. What leaves the archive, dangles or cannot be read becomes a row with
    a status.
    """
    top = os.path.realpath(os.fsencode(root))
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as found:
                for item in found:
                    if item.is_dir(follow_symlinks=False):
                        folders.append(item.path)
                    elif (entry := _local_entry(item, top)) is not None:
                        yield entry
        except OSError:
            yield _entry(os.path.relpath(folder, top) + b"/", status=ERROR, reason=UNREADABLE)


def list_remote(filesystem: fs.FileSystem, root: str) -> Iterator[Entry]:
    """Every file under a folder of any pyarrow file system, a folder at a time."""
    folders = [root]
    while folders:
        for item in filesystem.get_file_info(fs.FileSelector(folders.pop())):
            if item.type == fs.FileType.Directory:
                folders.append(item.path)
            else:
                relative = item.path[len(root.rstrip("/")) + 1 :]
                yield _entry(relative.encode(), item.size or 0, item.mtime_ns or 0)


def _local_entry(item: "os.DirEntry[bytes]", top: bytes) -> Entry | None:
    relative = os.path.relpath(item.path, top)
    try:
        if item.is_symlink():
            target = os.path.realpath(item.path, strict=True)
            if os.path.commonpath([top, target]) != top:
                return _entry(relative, status=REJECTED, reason=OUTSIDE)
            if os.path.isdir(target):
                return None
        status = item.stat()
    except OSError:  # dangling, a loop of links, no permission
        return _entry(relative, status=ERROR, reason=UNREADABLE)
    if not stat.S_ISREG(status.st_mode):
        return _entry(relative, status=REJECTED, reason=SPECIAL)
    return _entry(relative, status.st_size, status.st_mtime_ns)


def _entry(relative: bytes, size: int = 0, modified_ns: int = 0, status: str = "", reason: str = "") -> Entry:
    try:
        path = relative.decode()
    except UnicodeDecodeError:
        path, status, reason = relative.decode(errors="backslashreplace"), ERROR, BAD_NAME
    return Entry(image_id(relative), path, size, modified_ns, status, reason)
