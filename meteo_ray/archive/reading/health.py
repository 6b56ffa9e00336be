"""Whether an archive is still there as a whole: asked before a file that could not be read is held to be at fault."""

import os
from collections.abc import Callable
from typing import Any

from pyarrow import fs

from meteo_ray.archive.inputs.source import LocalSource, RemoteSource
from meteo_ray.archive.reading.fetching import NotInTime, in_time
from meteo_ray.errors import MachineFault
from meteo_ray.files import storable
from meteo_ray.imaging.decode import DecodeFailure

# A store is asked again and again by its own library meanwhile.
LOOK_TIMEOUT_S = 120.0

Look = Callable[[str], dict[str, Any]]


class Health:
    """What one reader has seen of an archive.

    Args:
        look: guarded_reading.look, in the guarded child, where a share that hangs cannot hold this process up.
    """

    def __init__(self, source: LocalSource | RemoteSource, look: Look) -> None:
        self._source, self._look = source, look
        self._root: tuple[int, int] | None = None  # device and inode, which are this machine's own

    def require(self, path: str, trouble: str) -> None:
        """Look at the archive's root and at the folder of a file that could not be read.

        A share may be mounted on any folder; so a file that has gone is a fact only while its folder is there and
        holds something. If a whole folder was removed on purpose, the next call of the job finds that out.

        Raises:
            MachineFault: saying what is out of reach; `trouble` is what happened to `path`.
        """
        problem = self._remote_problem() if isinstance(self._source, RemoteSource) else self._local_problem(path)
        if problem:
            raise MachineFault(
                f"--archive {storable(self._source.root)}: {storable(problem)} ({storable(trouble)}); nothing was held "
                f"against its files: mend it and run again with --resume"
            )

    def _local_problem(self, path: str) -> str:
        try:
            seen = self._look(self._source.root)
        except DecodeFailure as failure:
            return f"is out of reach: {failure.detail}"
        root = (seen["device"], seen["inode"])
        if root != (self._root or root):
            return "another folder stands there now; was it unmounted?"
        self._root = root
        if not seen["filled"]:
            return "is empty now; was it unmounted?"
        return self._folder_problem(os.path.dirname(path))

    def _folder_problem(self, folder: str) -> str:
        try:
            filled = self._look(folder)["filled"]
        except DecodeFailure as failure:
            return f"a folder of it is out of reach: {failure.detail}"
        return "" if filled else f"{folder} is empty now; was it unmounted?"

    def _remote_problem(self) -> str:
        assert isinstance(self._source, RemoteSource)
        try:
            filesystem, root = self._source.filesystem()
            kind = in_time(LOOK_TIMEOUT_S, filesystem.get_file_info, root).type
        except NotInTime:
            return f"does not answer within {LOOK_TIMEOUT_S:g} s"
        except (OSError, ValueError) as error:
            return f"is out of reach: {error}"
        return "is no folder any more" if kind == fs.FileType.NotFound else ""
