"""What the guarded child does for the archive's reader: opens what was listed, hashes it, decodes it.

Reading and decoding are two calls, so that a file whose content is known already is not decoded. In between the bytes
of some files stay in the child, by a key of the caller's. Imports Pillow and numpy at most (imaging.guarded_process).
"""

import hashlib
import os
from dataclasses import asdict, replace
from typing import Any

from meteo_ray.archive.inputs.containers import list_members, read_member
from meteo_ray.imaging.decode import DEFAULT_LIMITS, DecodeFailure, Listed, modification_time, read_bytes
from meteo_ray.imaging.load import LoadedImage, load_bytes
from meteo_ray.voters.descriptors import describe

_held: dict[str, tuple[str, bytes]] = {}  # sha256 and bytes


def release() -> dict[str, Any]:
    """Forget the bytes of all files."""
    _held.clear()
    return {}


def hold_file(key: str, path: str, size: int, modified_ns: int, inside: str) -> dict[str, Any]:
    """Read a file as it was listed; its sha256 comes back, its bytes stay here. Raises DecodeFailure."""
    try:
        return _hold(key, read_bytes(path, listed=Listed(size, modified_ns, inside)))
    except DecodeFailure as failure:
        if failure.reason == "io":  # this process may not open what lies elsewhere
            _require_inside(path, inside)
        raise


def hold_member(key: str, path: str, position: int, size: int, modified_ns: int, inside: str) -> dict[str, Any]:
    """Read a member of a tar or zip file, as `hold_file`."""
    _require_container(path, modified_ns, inside)
    return _hold(key, read_member(path, position, size))


def hold_descriptor(key: str, descriptor: int) -> dict[str, Any]:
    """Read what the parent has fetched from an object store, as `hold_file`."""
    with open(descriptor, "rb") as file:
        return _hold(key, file.read(DEFAULT_LIMITS.max_bytes + 1))


def decode_held(key: str, size: tuple[int, int] | None, described: bool) -> LoadedImage:
    """Decode a file that was read, fitted to `size` (width, height), or as its page's pixels; on demand with the
    descriptors that trees look at. Raises DecodeFailure."""
    sha256, data = _held.pop(key)
    loaded = load_bytes(data, size and (size[0], size[1]), sha256)
    return replace(loaded, descriptors=describe(loaded.pixels)) if described else loaded


def give_held(key: str) -> bytes:
    """A file that was read, as it is."""
    return _held.pop(key)[1]


def list_container(path: str, modified_ns: int, inside: str) -> dict[str, Any]:
    """The members of a tar or zip file, and what is wrong with the container itself: {"members", "failure"}."""
    _require_container(path, modified_ns, inside)
    listing = list_members(path)
    failure = listing.failure
    told = None if failure is None else [failure.status, failure.reason, failure.detail]
    return {"members": [asdict(member) for member in listing.members], "failure": told}


def look(path: str) -> dict[str, Any]:
    """Which folder or file stands at a place, and whether a folder holds anything. Raises DecodeFailure."""
    try:
        status = os.stat(path)
        filled = os.path.isfile(path)
        if not filled:
            with os.scandir(path) as found:
                filled = any(True for _ in found)
    except OSError as error:
        raise DecodeFailure("error", "io", f"{path}: {error.strerror}") from None
    return {"device": status.st_dev, "inode": status.st_ino, "filled": filled}


def _hold(key: str, data: bytes) -> dict[str, Any]:
    sha256 = hashlib.sha256(data).hexdigest()
    _held[key] = sha256, data
    return {"sha256": sha256}


def _require_container(path: str, modified_ns: int, inside: str) -> None:
    try:
        status = os.stat(path)
    except OSError as error:
        gone = isinstance(error, FileNotFoundError)
        raise DecodeFailure("error", "changed" if gone else "io", f"{path}: {error.strerror}") from None
    _require_inside(path, inside)
    if modification_time(status) != modified_ns:
        raise DecodeFailure("error", "changed", f"{path}: it was written to after it was listed")


def _require_inside(path: str, inside: str) -> None:
    real = os.path.realpath(path)
    if inside and os.path.commonpath([inside, real]) != inside:
        raise DecodeFailure("rejected", "path", f"{path}: leads out of the archive, to {real}")
