"""Whether an archive is still there as a whole: asked before a file that could not be read is held to be at fault."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyarrow import fs

from meteo_ray.archive.source import LocalSource, RemoteSource
from meteo_ray.errors import MachineFault
from meteo_ray.imaging.decode import DecodeFailure


def require_healthy(
    source: LocalSource | RemoteSource,
    look: Callable[[str], dict[str, Any]],
    last_good: str | None,
    trouble: str,
) -> None:
    """Look at the archive's root and at a file that could be read a moment ago.

    Args:
        look: guarded_reading.look, in the guarded child, where a share that hangs cannot hold this process up.
        last_good: a file in whose place there should still be one; None when none was read yet.
        trouble: what happened to a file, for the message.

    Raises:
        MachineFault: saying what is out of reach.
    """
    problem = _remote_problem(source) if isinstance(source, RemoteSource) else _local_problem(source, look, last_good)
    if problem:
        raise MachineFault(
            f"--archive {source.root}: {problem} ({trouble}); nothing was held against its files: mend it and run "
            f"again with --resume"
        )


def _local_problem(source: LocalSource, look: Callable[[str], dict[str, Any]], last_good: str | None) -> str:
    try:
        seen = look(source.root)
    except DecodeFailure as failure:
        return f"is out of reach: {failure.detail}"
    if (seen["device"], seen["inode"]) != (source.device, source.inode):
        return "another folder stands there now; was it unmounted?"
    if not seen["filled"]:
        return "is empty now; was it unmounted?"
    if last_good is not None and Path(last_good).is_relative_to(source.root):
        return _vanished(look, last_good)
    return ""


def _vanished(look: Callable[[str], dict[str, Any]], last_good: str) -> str:
    """A share mounted somewhere inside the archive may be gone; a file that somebody has removed is no such thing."""
    folder = os.path.dirname(last_good)
    try:
        look(last_good)
    except DecodeFailure:
        try:
            filled = look(folder)["filled"]
        except DecodeFailure as failure:
            return f"a folder that was read a moment ago is out of reach: {failure.detail}"
        if not filled:
            return f"{folder} is empty now; was it unmounted?"
    return ""


def _remote_problem(source: RemoteSource) -> str:
    try:
        filesystem, root = source.filesystem()
        kind = filesystem.get_file_info(root).type
    except (OSError, ValueError) as error:
        return f"is out of reach: {error}"
    return "is no folder any more" if kind == fs.FileType.NotFound else ""
