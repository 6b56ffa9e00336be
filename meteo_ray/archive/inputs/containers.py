"""Tar and zip files of an archive, read in place: nothing is unpacked to disk.

They come from anywhere, so nothing that they claim is believed, and work and memory are bounded whatever they hold.
tarfile would take in headers of any length, follow chains of them by recursion and walk in circles on negative sizes;
so it only parses single header blocks here. zipfile would make objects of a directory of any length; so its reads are
watched.

Imports the standard library and `imaging.decode` only, because it runs in the guarded child. Not for several threads:
the container that was used last stays open.
"""

import bz2
import errno
import gzip
import io
import lzma
import os
import re
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, BinaryIO, Protocol

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

# One extension header of a tar (a long name, or pax records); Go's archive/tar takes as much.
MAX_EXTENSION_BYTES = 2**20

# Extension headers before one member: global and own pax records, a long name, a long link, and as many again.
MAX_EXTENSIONS = 8

# What a position or size may be at most where it is stored: a signed 64-bit integer.
MAX_INT64 = 2**63 - 1

ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13  # flags of a zip member: encrypted, strongly, with its directory (APPNOTE 4.4.4)
PATCHED = 1 << 5  # the member holds differences to a file elsewhere
UNIX = 3  # the system whose file modes a zip's directory then gives (APPNOTE 4.4.2)
DIRECTORY_ENTRY = b"PK\x01\x02"  # starts every entry of a zip's directory (APPNOTE 4.3.12)


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


def list_members(path: str, limits: ContainerLimits = DEFAULT_CONTAINER_LIMITS) -> Listing:
    """Every file in a tar or zip file, in its order; folders are passed over.

    Raises:
        DecodeFailure: for the container as a whole: `empty` when there is no file in it, `truncated` when it is
            damaged before its first member, `too_large` beyond `limits`, `io` when it cannot be read, `changed` when
            it is gone, `crashed` when memory runs out.
    """
    with _only_failures(path):
        container = _container(path, limits)
    found = _Found(container.key)
    try:
        with _only_failures(path):
            container.add_members(found)
    except DecodeFailure as failure:
        close_container()  # a decompressor that has met damage is not used again
        if failure.reason != "truncated" or not found.members:
            raise
        return Listing(found.members, failure)
    if not found.members:
        raise DecodeFailure("error", "empty", "there is no file in the container")
    return Listing(found.members)


def read_member(path: str, position: int, size: int, limits: ContainerLimits = DEFAULT_CONTAINER_LIMITS) -> bytes:
    """The bytes of a member, by its position and size as listed. Fast when members are read in their order.

    Raises:
        DecodeFailure: `truncated` when it is damaged, `too_large` above `limits`, `format` or `special` for what
            `list_members` would have turned away, `io` when the container cannot be read, `changed` when it is gone
            or no longer holds the member, `crashed` when memory runs out.
    """
    if min(position, size) < 0:
        raise ValueError("no listing gives a negative position or size")
    _require_within(size, limits.member_bytes, "bytes")
    with _only_failures(path):
        return _container(path, limits).read(position, size)


def close_container() -> None:
    """Close the container that was used last."""
    global _opened
    if _opened is not None:
        _opened.close()
    _opened = None


@dataclass(frozen=True)
class _Key:
    """What a container was opened as; another one under its name does not go for it."""

    path: str
    limits: ContainerLimits
    packed_bytes: int
    modified_ns: int
    inode: int


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def seek(self, offset: int, /) -> int: ...
    def close(self) -> None: ...


class _Found:
    """The members found so far, each under a name of its own, and what they add up to."""

    def __init__(self, key: _Key) -> None:
        self.members: list[Member] = []
        self._key, self._limits = key, key.limits
        self._entries = self._name_characters = self._unpacked = 0
        self._numbers: dict[str, int] = {}  # by name: the number of the last member that was given it

    def count(self, name: str) -> None:
        """Count an entry, be it a member or a folder. Raises DecodeFailure above the limits."""
        self._entries += 1
        self._name_characters += len(name)
        _require_within(self._entries, self._limits.members, "members")
        _require_within(self._name_characters, MAX_NAMES, "characters of names")

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
            _require_no_bomb(self._unpacked, self._limits.unpacked_bytes, self._key)
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


class _Zip:
    """An open zip file."""

    def __init__(self, raw: io.FileIO, key: _Key) -> None:
        self.key = key
        self._file = _WatchedReader(raw, key.limits.members)
        self._zip = zipfile.ZipFile(self._file)

    def add_members(self, found: _Found) -> None:
        """Add every member to `found`."""
        packed = 0
        for position, info in enumerate(self._zip.infolist()):
            if _is_zip_folder(info):
                found.count(info.filename)
            elif found.add(info.filename, position, info.file_size, _zip_refusal(info, self.key.packed_bytes)):
                packed += info.compress_size
        if packed > self.key.packed_bytes:  # as in Fifield's bomb
            detail = f"{packed} packed bytes of members in a file of {self.key.packed_bytes}: they share them"
            raise _too_large(detail)

    def read(self, position: int, size: int) -> bytes:
        """The bytes of one member."""
        members = self._zip.infolist()
        if position >= len(members) or members[position].file_size != size:
            raise DecodeFailure("error", "changed", "another member is in its place now")
        info = members[position]
        refusal = _zip_refusal(info, self.key.packed_bytes)
        if refusal is not None:
            raise refusal
        with self._zip.open(info) as member:
            data = _gather(member, size + 1)  # its checksum is compared where its end is seen
        _require_whole(data, size)
        return data

    def close(self) -> None:
        self._zip.close()
        self._file.close()


class _WatchedReader(io.BufferedReader):
    """A zip file whose directory, which zipfile reads in one piece, is counted before objects are made of it."""

    def __init__(self, raw: io.FileIO, members: int) -> None:
        super().__init__(raw)
        self._members = members

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size <= CHUNK:  # members, which are read by the chunk; or a directory that is small anyhow
            return super().read(size)
        _require_within(size, MAX_NAMES, "bytes of directory")
        data = super().read(size)
        _require_within(data.count(DIRECTORY_ENTRY), self._members, "members")
        return data


class _Tar:
    """An open tar file, plain or compressed."""

    def __init__(self, raw: io.FileIO, key: _Key) -> None:
        self.key = key
        self._file: BinaryIO = io.BufferedReader(raw)
        unpacked = _unpacked(self._file)
        self._compressed = unpacked is not None
        self._stream: _Stream = self._file if unpacked is None else unpacked

    def add_members(self, found: _Found) -> None:
        """Add every member to `found`. Raises DecodeFailure where the stream is damaged or ends too early."""
        self._stream.seek(0)
        cursor = _Cursor(self._stream, self._compressed, self.key)
        while (entry := _next_entry(cursor)) is not None:
            if entry.is_folder:
                found.count(entry.name)
            else:
                _add_tar_member(found, entry, cursor)
        cursor.finish()

    def read(self, position: int, size: int) -> bytes:
        """The bytes of one member."""
        if self._compressed:
            _require_within(position + size, self.key.limits.stream_bytes, "bytes unpacked")
        elif position + size > self.key.packed_bytes:
            raise DecodeFailure("error", "changed", "the container has become shorter")
        try:
            self._stream.seek(position)
            data = _gather(self._stream, size)
        except Exception:
            close_container()  # a decompressor that has met damage is not used again
            raise
        _require_whole(data, size)
        return data

    def close(self) -> None:
        self._stream.close()
        self._file.close()


class _Cursor:
    """Goes forward through the unpacked stream of a tar, and stops where that turns out to be a bomb."""

    def __init__(self, stream: _Stream, compressed: bool, key: _Key) -> None:
        self._stream, self._compressed, self._key = stream, compressed, key
        self.position = 0

    def read(self, size: int) -> bytes:
        """The next bytes. Raises DecodeFailure when there are fewer."""
        data = self._advance(size)
        _require_whole(data, size)
        return data

    def skip(self, size: int) -> None:
        """Pass over bytes. Raises DecodeFailure when there are fewer."""
        if not self._compressed:
            if self.position + size > self._key.packed_bytes:
                raise _damaged("cut short")
            self.position = self._stream.seek(self.position + size)
            return
        while size > 0:
            skipped = len(self._advance(min(size, CHUNK)))
            if not skipped:
                raise _damaged("cut short")
            size -= skipped

    def finish(self) -> None:
        """Unpack what follows the last member: the checksum of the whole stream comes at its very end."""
        while self._compressed and self._advance(CHUNK):
            pass

    def _advance(self, size: int) -> bytes:
        data = self._stream.read(size)
        self.position += len(data)
        if self._compressed:
            _require_no_bomb(self.position, self._key.limits.stream_bytes, self._key)
        return data


@dataclass(frozen=True)
class _TarEntry:
    """What the headers of a tar say of one entry."""

    name: str
    size: int
    stored_bytes: int
    """What follows in the stream; links and folders have no data, whatever size they claim."""
    is_folder: bool
    refusal: DecodeFailure | None


_opened: _Zip | _Tar | None = None


def _container(path: str, limits: ContainerLimits) -> _Zip | _Tar:
    """The container at a path, opened unless it is open already."""
    global _opened
    if _opened is None or _opened.key != _key(path, limits, os.stat(path)):
        close_container()
        # Without O_NONBLOCK, opening a named pipe would wait for a writer forever.
        raw = io.FileIO(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)))
        try:
            _opened = _open(raw, path, limits)
        except BaseException:
            raw.close()
            raise
    return _opened


def _open(raw: io.FileIO, path: str, limits: ContainerLimits) -> _Zip | _Tar:
    status = os.fstat(raw.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise DecodeFailure("error", "io", f"{path}: not a regular file")
    if not status.st_size:
        raise DecodeFailure("error", "empty", "the file has no bytes")
    key = _key(path, limits, status)
    return _Zip(raw, key) if path.lower().endswith(".zip") else _Tar(raw, key)


def _key(path: str, limits: ContainerLimits, status: os.stat_result) -> _Key:
    return _Key(path, limits, status.st_size, status.st_mtime_ns, status.st_ino)


@contextmanager
def _only_failures(path: str) -> Iterator[None]:
    """Turns whatever is raised inside into a DecodeFailure."""
    try:
        yield
    except DecodeFailure:
        raise
    except MemoryError as error:
        raise DecodeFailure("error", "crashed", "out of memory while unpacking") from error
    except FileNotFoundError as error:
        raise DecodeFailure("error", "changed", f"{path}: no longer there") from error
    except Exception as error:  # decompressors and parsers raise nearly anything on damaged bytes
        # The storage's own errors carry a number; so does seeking to where a damaged header points.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise DecodeFailure("error", "io", f"{path}: {error.strerror}") from error
        detail = f"damaged, cut short or of an unsupported kind: {error}"
        raise DecodeFailure("error", "truncated", detail) from error


def _damaged(detail: str) -> DecodeFailure:
    return DecodeFailure("error", "truncated", detail)


def _too_large(detail: str) -> DecodeFailure:
    return DecodeFailure("rejected", "too_large", detail)


def _require_within(value: int, at_most: int, what: str) -> None:
    if value > at_most:
        raise _too_large(f"{value} {what}, at most {at_most} are taken")


def _require_no_bomb(unpacked: int, at_most: int, key: _Key) -> None:
    _require_within(unpacked, at_most, "bytes unpacked")
    ratio = unpacked / key.packed_bytes
    if unpacked > key.limits.ratio_from_bytes and ratio > key.limits.ratio:
        raise _too_large(f"it unpacks to {ratio:.0f} times its size, at most {key.limits.ratio:g} are taken")


def _require_whole(data: bytes, size: int) -> None:
    if len(data) != size:
        raise _damaged(f"cut short: {len(data)} of {size} bytes")


def _gather(stream: _Stream | IO[bytes], at_most: int) -> bytes:
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
        return _too_large(f"{size} bytes, at most {limits.member_bytes} are taken")
    return None


def _leads_out(name: str) -> bool:
    """On any system: Windows takes a backslash for a slash, and knows drives."""
    parts = re.split(r"[/\\]", name)
    return not parts[0] or ".." in parts or re.match("[A-Za-z]:", name) is not None


def _shown(name: str) -> str:
    """The name with bytes that are no UTF-8 as escapes, as for a file outside of containers."""
    return name[:MAX_NAME].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_zip_folder(info: zipfile.ZipInfo) -> bool:
    # Some Windows programs end folders with a backslash.
    return info.filename.endswith("/") or (info.filename.endswith("\\") and not info.file_size)


def _zip_refusal(info: zipfile.ZipInfo, packed_bytes: int) -> DecodeFailure | None:
    """What there is against a member of a zip file, but for its name and size."""
    kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == UNIX else 0
    if kind not in (0, stat.S_IFREG):
        return DecodeFailure("rejected", "special", "a link, device or pipe")
    if info.flag_bits & ENCRYPTED:
        return DecodeFailure("rejected", "format", "encrypted members are not taken")
    # zipfile unpacks what it has read of bzip2 or LZMA at once, though 4 KB may become 4 GB. Hardly anyone uses them.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & PATCHED:
        detail = f"zip compression {info.compress_type} is not taken, only stored and deflated"
        return DecodeFailure("rejected", "format", detail)
    if not 0 <= info.header_offset <= packed_bytes - info.compress_size:
        return _damaged("its data lies outside of the container")
    return None


def _unpacked(file: BinaryIO) -> _Stream | None:
    """The unpacked stream of a compressed file, None where it is not compressed.

    By content, not by name: servers and browsers unpack .tar.gz on the way without renaming it. More is compared than
    the formats' short magic numbers, because a plain tar starts with the name of its first member.
    """
    start = file.read(10)
    file.seek(0)
    if start.startswith(b"\x1f\x8b\x08"):
        return gzip.GzipFile(fileobj=file, mode="rb")
    if start.startswith(b"BZh") and start[4:] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"):  # a block, or the end
        return bz2.BZ2File(file)
    if start.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(file, format=lzma.FORMAT_XZ)
    return None


def _add_tar_member(found: _Found, entry: _TarEntry, cursor: _Cursor) -> None:
    """Add a member to `found` and pass over its data; where they are cut short, the member says so."""
    position = cursor.position
    try:
        cursor.skip(entry.stored_bytes)
    except Exception:  # it has a name, and is not passed over in silence
        found.add(entry.name, position, entry.size, _damaged("damaged or cut short"))
        raise
    found.add(entry.name, position, entry.size, entry.refusal)
    cursor.skip(-entry.stored_bytes % tarfile.BLOCKSIZE)


def _next_entry(cursor: _Cursor) -> _TarEntry | None:
    """The next entry, None at the mark that ends a tar; a stream that ends without it is cut short.

    Global pax headers are passed over: no program is known to give names or sizes by them.
    """
    long_name, records = b"", dict[bytes, bytes]()
    for _ in range(MAX_EXTENSIONS + 1):
        block = cursor.read(tarfile.BLOCKSIZE)
        if not any(block):
            if long_name or records:
                raise _damaged("damaged: extension headers without a member")
            return None
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        if info.type == tarfile.GNUTYPE_LONGNAME:
            long_name = _extension(info, cursor).partition(b"\0")[0]
        elif info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
            records = _pax_records(_extension(info, cursor))
        elif info.type in (tarfile.GNUTYPE_LONGLINK, tarfile.XGLTYPE):
            _extension(info, cursor)
        else:
            if info.type == tarfile.GNUTYPE_SPARSE:
                _skip_sparse_map(block, cursor)
            return _entry(info, long_name, records)
    raise _damaged(f"damaged: more than {MAX_EXTENSIONS} extension headers before a member")


def _extension(info: tarfile.TarInfo, cursor: _Cursor) -> bytes:
    """What an extension header holds."""
    if info.size < 0:
        raise _damaged("damaged: a header of negative size")
    _require_within(info.size, MAX_EXTENSION_BYTES, "bytes in one header")
    return cursor.read(info.size + -info.size % tarfile.BLOCKSIZE)[: info.size]


def _pax_records(data: bytes) -> dict[bytes, bytes]:
    """Keys and values of records `LENGTH KEY=VALUE` and a newline, where LENGTH counts all of the record."""
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(data):
        digits, space, _ = data[position : position + 8].partition(b" ")  # 1 MiB has 7 digits
        length = int(digits) if space and digits.isdigit() else 0
        record = data[position : position + length]
        key, equals, value = record[len(digits) + 1 :].partition(b"=")
        if len(record) != length or not equals or not value.endswith(b"\n"):
            raise _damaged("damaged: a pax record of a wrong length")
        records[key] = value[:-1]
        position += length
    return records


def _skip_sparse_map(block: bytes, cursor: _Cursor) -> None:
    """Pass over the blocks that go on with the map of an old GNU sparse file; each says whether another follows."""
    follows = block[482]
    while follows:
        follows = cursor.read(tarfile.BLOCKSIZE)[504]


def _entry(info: tarfile.TarInfo, long_name: bytes, records: dict[bytes, bytes]) -> _TarEntry:
    """What a header says, together with the extension headers before it."""
    size = int(records[b"size"]) if b"size" in records else info.size
    if size < 0:
        raise _damaged("damaged: a member of negative size")
    long_name = records.get(b"GNU.sparse.name") or records.get(b"path") or long_name
    name = long_name.decode("utf-8", "surrogateescape") or info.name
    # As tarfile has it: an entry of an unknown type is followed by data too.
    stored_bytes = size if info.isreg() or info.type not in tarfile.SUPPORTED_TYPES else 0
    sparse = info.type == tarfile.GNUTYPE_SPARSE or any(key.startswith(b"GNU.sparse.") for key in records)
    return _TarEntry(name, size, stored_bytes, info.isdir(), _tar_refusal(info, sparse))


def _tar_refusal(info: tarfile.TarInfo, sparse: bool) -> DecodeFailure | None:
    """What there is against a member of a tar file, but for its name and size."""
    if sparse:
        return DecodeFailure("rejected", "special", "a sparse file")
    if info.issym() or info.islnk():
        return DecodeFailure("rejected", "special", "a link")
    if info.isdev():
        return DecodeFailure("rejected", "special", "a device or pipe")
    if not info.isreg():
        return DecodeFailure("rejected", "special", f"an entry of the unknown type {info.type!r}")
    return None
