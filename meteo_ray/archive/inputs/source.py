"""Where an archive's files come from: a local folder, a list of paths, a tar or zip file, or any file system that
pyarrow opens by URI.

A source is small and picklable; readers in other processes hold a copy of it.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import fs

from meteo_ray.archive.inputs.container_listing import ContainerLister
from meteo_ray.archive.inputs.container_members import is_container
from meteo_ray.archive.inputs.listing import Entry, entry, list_local, list_paths, list_remote
from meteo_ray.archive.inputs.object_store import open_filesystem
from meteo_ray.archive.inputs.path_list import is_path_list, listed_paths
from meteo_ray.errors import UsageError
from meteo_ray.files import without_secrets
from meteo_ray.imaging.decode import modification_time


@dataclass(frozen=True)
class Place:
    """Where a listed file lies on this machine. `inside` is the real folder that must hold it, "" for any."""

    path: str
    inside: str


@dataclass(frozen=True)
class LocalSource:
    """Files of this machine or of a mounted share; `entries` gives every one, and may give one twice.

    `only` names one tar or zip file in the folder, or a list of paths, which then is the archive.
    """

    root: str
    only: str = ""

    @property
    def readable(self) -> Sequence[str]:
        """The folders that hold its files."""
        return ("/",) if is_path_list(self.only) else (self.root,)

    def entries(self) -> Iterator[Entry]:
        if self.only and is_path_list(self.only):
            yield from list_paths(listed_paths(Path(self.root, self.only)), Path(self.root))
            return
        with ContainerLister(self.root, self.place) as lister:
            if self.only:
                status = os.stat(Path(self.root, self.only))
                yield from lister(entry(os.fsencode(self.only), status.st_size, modification_time(status)))
            else:
                yield from list_local(Path(self.root), lister)

    def place(self, row: Mapping[str, Any]) -> Place:
        """Where a row of the manifest lies; of a member of a tar or zip file, where that lies."""
        name = os.fsdecode(row["name"]) if row["name"] else str(row["path"])
        inside = "" if is_path_list(self.only) else os.path.realpath(self.root)
        return Place(os.path.join(self.root, name), inside)


@dataclass(frozen=True)
class RemoteSource:
    """A folder of an object store; its URI may hold keys, `root` does not."""

    uri: str = field(repr=False)

    readable = ()  # its objects arrive as open files

    @property
    def root(self) -> str:
        """Where it stands, for messages."""
        return without_secrets(self.uri)

    def entries(self) -> Iterator[Entry]:
        return list_remote(self.uri, *self.filesystem())

    def filesystem(self) -> tuple[fs.FileSystem, str]:
        """The file system and the folder in it; connections are made once per process, not once per file."""
        return _file_system(self.uri)


def open_source(archive: str | Path) -> LocalSource | RemoteSource:
    """The source behind `--archive`.

    Raises:
        UsageError: when it does not exist, is of no known kind or cannot be reached.
    """
    if "://" not in str(archive):
        return _open_local(Path(archive))
    uri = str(archive)
    try:
        filesystem, root = open_filesystem(uri)
        kind = filesystem.get_file_info(root).type
    except (OSError, ValueError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        # The library's message may repeat the URI.
        why = str(error).replace(uri, without_secrets(uri))
        raise UsageError(f"--archive {without_secrets(uri)}: cannot be opened: {why}") from None
    if isinstance(filesystem, fs.LocalFileSystem):
        return _open_local(Path(root))
    if kind != fs.FileType.Directory:
        raise UsageError(f"--archive {without_secrets(uri)}: no such folder")
    return RemoteSource(uri)


@lru_cache(maxsize=4)
def _file_system(uri: str) -> tuple[fs.FileSystem, str]:
    filesystem, root = open_filesystem(uri)
    return filesystem, root.rstrip("/")


def _open_local(place: Path) -> LocalSource:
    if not place.exists():
        raise UsageError(f"--archive {place}: no such folder")
    if not os.access(place, os.R_OK | (os.X_OK if place.is_dir() else 0)):
        raise UsageError(f"--archive {place}: no permission to read it")
    if place.is_dir():
        return LocalSource(str(place.resolve()))
    if is_container(place.name) or is_path_list(place.name):
        return LocalSource(str(place.resolve().parent), place.resolve().name)
    raise UsageError(
        f"--archive {place}: is a file; give the folder that holds the images, a tar or zip file, or a list of paths "
        f"(.txt, .csv, .parquet)"
    )
