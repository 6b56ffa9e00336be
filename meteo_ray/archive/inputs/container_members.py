"""What is in a tar or zip file: its members, and how much of them is taken.

Containers come from anywhere, so nothing that they claim is believed, and work and memory are bounded whatever they
hold. Imports the standard library and `imaging.decode` only, because it runs in the guarded child.
"""

import io
import re
from dataclasses import dataclass
from typing import IO, Protocol

from meteo_ray.imaging.decode import DEFAULT_LIMITS, DecodeFailure

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

# Read at a time: large enough that Python's own work does not count, small beside the guard's memory limit.
CHUNK = 2**20

# The slowest method, bzip2, unpacks 7-20 MB/s on one core; whoever waits for a stream to be unpacked reckons with less.
UNPACKED_BYTES_PER_SECOND = 5e6

# Linux' PATH_MAX: no longer name can have been a file's.
MAX_NAME = 4096

# The names of a tar in characters, or the directory of a zip in bytes: 335 for each of 200,000 members.
MAX_NAMES = 64 * 2**20

# What a position or size may be at most where it is stored: a signed 64-bit integer.
MAX_INT64 = 2**63 - 1


@dataclass(frozen=True)
class ContainerLimits:
    """What one tar or zip file may hold and cost."""

    members: int = 200_000
    """Folders included. All are in memory at once while they are listed: 270 MB for as many members of a zip, with the
    answer that is made of them, measured; the guard's memory limit is 1536 MB."""
    member_bytes: int = DEFAULT_LIMITS.max_bytes
    """As for a file outside of containers."""
    unpacked_bytes: int = 64 * 2**30
    """All members that are read, of a zip or a plain tar: 200,000 charts of 340 KB."""
    stream_bytes: int = 8 * 2**30
    """The whole unpacked stream of a compressed tar, whose members cannot be reached without unpacking all before
    them: about 20 s of gzip at 440 MB/s, 20 minutes of bzip2 at 7 MB/s (one core, bytes that hardly shrink)."""
    ratio: float = 200.0
    """Unpacked over packed size of the whole container. PNG and JPEG hardly shrink; sixty real charts as BMP shrank
    3 to 132 times, 28 on average; bombs grow a thousandfold (gzip's most is 1032) and more."""
    ratio_from_bytes: int = 100 * 2**20
    """Unpacked bytes from which the ratio counts: a single blank bitmap shrinks to a thousandth and is no bomb."""


DEFAULT_CONTAINER_LIMITS = ContainerLimits()


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a container. `status` is empty for one to be judged, else what its listing already knows about it.

    `name` is unique in its container: the second member of a name becomes `name#2`. It is text that can be stored, but
    may hold control characters. `position` is what `read_member` finds it by: in a zip its place in the directory, in
    a tar where its data starts in the unpacked stream.
    """

    name: str
    position: int
    size: int
    status: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Listing:
    """The members of a container, at least one.

    `failure` tells that the container is damaged or cut short: there may have been more members. Those listed can be
    read, unless their status says otherwise.
    """

    members: list[Member]
    failure: DecodeFailure | None = None


def is_container(name: str) -> bool:
    """Whether a file of this name is listed by its members; .docx, .npz and their like are zip files, but no such."""
    return name.lower().endswith(SUFFIXES)


@dataclass(frozen=True)
class ContainerKey:
    """What a container was opened as; another one under its name does not go for it."""

    path: str
    limits: ContainerLimits
    packed_bytes: int
    modified_ns: int
    inode: int


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def seek(self, offset: int, /) -> int: ...
    def close(self) -> None: ...


class FoundMembers:
    """The members found so far, each under a name of its own, and what they add up to."""

    def __init__(self, key: ContainerKey) -> None:
        self.members: list[Member] = []
        self._key, self._limits = key, key.limits
        self._entries = self._name_characters = self._unpacked = 0
        self._numbers: dict[str, int] = {}  # by name: the number of the last member that was given it

    def count(self, name: str) -> None:
        """Count an entry, be it a member or a folder. Raises DecodeFailure above the limits."""
        self._entries += 1
        self._name_characters += len(name)
        require_within(self._entries, self._limits.members, "members")
        require_within(self._name_characters, MAX_NAMES, "characters of names")

    def add(self, name: str, position: int, size: int, refusal: DecodeFailure | None) -> bool:
        """Add a member; returns whether it is to be judged.

        Args:
            refusal: what its format alone has against it.

        Raises:
            DecodeFailure: above the limits.
        """
        self.count(name)
        name, size = name.removeprefix("./"), min(size, MAX_INT64)
        refusal = _refusal(name, size, refusal, self._limits)
        if refusal is None:
            self._unpacked += size
            require_no_bomb(self._unpacked, self._limits.unpacked_bytes, self._key)
        told = ("", "", "") if refusal is None else (refusal.status, refusal.reason, refusal.detail)
        self.members.append(Member(self._unique(_shown(name)), position, size, *told))
        return refusal is None

    def _unique(self, name: str) -> str:
        unique = name
        while unique in self._numbers:
            self._numbers[name] += 1
            unique = f"{name}#{self._numbers[name]}"
        self._numbers[unique] = 1
        return unique


def damaged(detail: str) -> DecodeFailure:
    return DecodeFailure("error", "truncated", detail)


def too_large(detail: str) -> DecodeFailure:
    return DecodeFailure("rejected", "too_large", detail)


def require_within(value: int, at_most: int, what: str) -> None:
    if value > at_most:
        raise too_large(f"{value} {what}, at most {at_most} are taken")


def require_no_bomb(unpacked: int, at_most: int, key: ContainerKey) -> None:
    require_within(unpacked, at_most, "bytes unpacked")
    ratio = unpacked / key.packed_bytes
    if unpacked > key.limits.ratio_from_bytes and ratio > key.limits.ratio:
        raise too_large(f"it unpacks to {ratio:.0f} times its size, at most {key.limits.ratio:g} are taken")


def require_whole(data: bytes, size: int) -> None:
    if len(data) != size:
        raise damaged(f"cut short: {len(data)} of {size} bytes")


def gather(stream: Stream | IO[bytes], at_most: int) -> bytes:
    """Up to `at_most` bytes; no buffer is made for what is only claimed. BytesIO gives its own away without a copy."""
    gathered = io.BytesIO()
    while data := stream.read(min(CHUNK, at_most - gathered.tell())):
        gathered.write(data)
    return gathered.getvalue()


def _refusal(name: str, size: int, refusal: DecodeFailure | None, limits: ContainerLimits) -> DecodeFailure | None:
    """Why a member is not to be judged, None where it is; `refusal` is what its format alone has against it."""
    if _leads_out(name):
        return DecodeFailure("rejected", "path", "a name that is empty, absolute or leads out of its container")
    if len(name) > MAX_NAME:
        return DecodeFailure("rejected", "path", f"a name of {len(name)} characters, at most {MAX_NAME} are taken")
    if refusal is not None:
        return refusal
    if is_container(name):
        return DecodeFailure("rejected", "format", "an archive inside an archive is not opened")
    if size > limits.member_bytes:
        return too_large(f"{size} bytes, at most {limits.member_bytes} are taken")
    return None


def _leads_out(name: str) -> bool:
    """On any system: Windows takes a backslash for a slash, and knows drives."""
    parts = re.split(r"[/\\]", name)
    return not parts[0] or ".." in parts or re.match("[A-Za-z]:", name) is not None


def _shown(name: str) -> str:
    """The name with bytes that are no UTF-8 as escapes, as for a file outside of containers."""
    return name[:MAX_NAME].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
