"""Where an archive's files come from: a local folder, or any file system that pyarrow opens by URI.

A source is small and picklable; readers in other processes hold a copy of it.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

import pyarrow as pa
from pyarrow import fs

from meteo_ray.archive.listing import Entry, list_local, list_remote
from meteo_ray.errors import UsageError
from meteo_ray.files import without_secrets


class Changed(Exception):
    """Raised when a file is no longer what the listing saw."""


class Listed(NamedTuple):
    """What a listing saw of a file."""

    size: int
    modified_ns: int


class Source(Protocol):
    """An archive that can be listed and read."""

    def entries(self) -> Iterator[Entry]:
        """Every file of the archive, once."""
        ...

    def local_file(self, path: str, listed: Listed | None = None) -> AbstractContextManager[Path]:
        """A context in which the file lies on this machine. Raises Changed when it is no longer as it was listed."""
        ...


@dataclass(frozen=True)
class LocalSource:
    """A folder of this machine or of a mounted share."""

    root: Path

    def entries(self) -> Iterator[Entry]:
        return list_local(self.root)

    @contextmanager
    def local_file(self, path: str, listed: Listed | None = None) -> Iterator[Path]:
        file = self.root / path
        try:
            yield file
        finally:
            if listed is not None:
                _require_unchanged(file, listed)


@dataclass(frozen=True)
class RemoteSource:
    """A folder of an object store; each file is copied to this machine while it is read."""

    uri: str

    def entries(self) -> Iterator[Entry]:
        return list_remote(*_file_system(self.uri))

    @contextmanager
    def local_file(self, path: str, listed: Listed | None = None) -> Iterator[Path]:
        filesystem, root = _file_system(self.uri)
        with tempfile.NamedTemporaryFile(prefix="meteo_ray_", suffix=Path(path).suffix) as copy:
            try:
                with filesystem.open_input_stream(f"{root}/{path}") as stream:
                    shutil.copyfileobj(stream, copy)
            except FileNotFoundError:
                raise Changed(f"{path} has vanished") from None
            copy.flush()
            if listed is not None and copy.tell() != listed.size:
                raise Changed(f"{path}: {copy.tell()} bytes, {listed.size} when it was listed")
            yield Path(copy.name)


def open_source(archive: str | Path) -> LocalSource | RemoteSource:
    """The source behind `--archive`.

    Raises:
        UsageError: when it does not exist, is not a folder or cannot be reached.
    """
    if "://" not in str(archive):
        return _open_local(Path(archive))
    uri = str(archive)
    try:
        filesystem, root = fs.FileSystem.from_uri(uri)
        kind = filesystem.get_file_info(root).type
    except (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        # The library's message may repeat the URI.
        why = str(error).replace(uri, without_secrets(uri))
        raise UsageError(f"--archive {without_secrets(uri)}: cannot be opened: {why}") from None
    if kind != fs.FileType.Directory:
        raise UsageError(f"--archive {without_secrets(uri)}: no such folder")
    return _open_local(Path(root)) if isinstance(filesystem, fs.LocalFileSystem) else RemoteSource(uri)


@lru_cache(maxsize=4)
def _file_system(uri: str) -> tuple[fs.FileSystem, str]:
    """Connections are made once per process, not once per file."""
    filesystem, root = fs.FileSystem.from_uri(uri)
    return filesystem, root.rstrip("/")


def _open_local(folder: Path) -> LocalSource:
    if not folder.exists():
        raise UsageError(f"--archive {folder}: no such folder")
    if not folder.is_dir():
        raise UsageError(f"--archive {folder}: is a file; give the folder that holds the images")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise UsageError(f"--archive {folder}: no permission to read it")
    return LocalSource(folder.resolve())


def _require_unchanged(file: Path, listed: Listed) -> None:
    try:
        status = file.stat()
    except OSError:
        raise Changed(f"{file} has vanished") from None
    if (status.st_size, status.st_mtime_ns) != listed:
        raise Changed(f"{file} was written to after it was listed")
