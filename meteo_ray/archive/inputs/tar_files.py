"""Tar files, plain or compressed, read in place.

tarfile would take in headers of any length, follow chains of them by recursion and walk in circles on negative sizes;
so it only parses single header blocks here. Runs in the guarded child.
"""

import bz2
import gzip
import io
import lzma
import tarfile
from dataclasses import dataclass
from typing import BinaryIO

from meteo_ray.archive.inputs.container_members import (
    CHUNK,
    ContainerKey,
    FoundMembers,
    Stream,
    damaged,
    gather,
    require_no_bomb,
    require_whole,
    require_within,
)
from meteo_ray.imaging.decode import DecodeFailure

# One extension header of a tar (a long name, or pax records); Go's archive/tar takes as much.
MAX_EXTENSION_BYTES = 2**20

# Extension headers before one member: global and own pax records, a long name, a long link, and as many again.
MAX_EXTENSIONS = 8


class TarContainer:
    """An open tar file, plain or compressed."""

    def __init__(self, raw: io.FileIO, key: ContainerKey) -> None:
        self.key = key
        self._file: BinaryIO = io.BufferedReader(raw)
        self._start()

    def add_members(self, found: FoundMembers) -> None:
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
            require_within(position + size, self.key.limits.stream_bytes, "bytes unpacked")
        elif position + size > self.key.packed_bytes:
            raise DecodeFailure("error", "changed", "the container has become shorter")
        try:
            self._stream.seek(position)
            data = gather(self._stream, size)
        except Exception:
            self._start()
            raise
        require_whole(data, size)
        return data

    def close(self) -> None:
        self._stream.close()
        self._file.close()

    def _start(self) -> None:
        """Begin anew: a decompressor that has met damage is not used again."""
        unpacked = _unpacked(self._file)
        self._compressed = unpacked is not None
        self._stream: Stream = self._file if unpacked is None else unpacked


class _Cursor:
    """Goes forward through the unpacked stream of a tar, and stops where that turns out to be a bomb."""

    def __init__(self, stream: Stream, compressed: bool, key: ContainerKey) -> None:
        self._stream, self._compressed, self._key = stream, compressed, key
        self.position = 0

    def read(self, size: int) -> bytes:
        """The next bytes. Raises DecodeFailure when there are fewer."""
        data = self._advance(size)
        require_whole(data, size)
        return data

    def skip(self, size: int) -> None:
        """Pass over bytes. Raises DecodeFailure when there are fewer."""
        if not self._compressed:
            if self.position + size > self._key.packed_bytes:
                raise damaged("cut short")
            self.position = self._stream.seek(self.position + size)
            return
        while size > 0:
            skipped = len(self._advance(min(size, CHUNK)))
            if not skipped:
                raise damaged("cut short")
            size -= skipped

    def finish(self) -> None:
        """Unpack what follows the last member: the checksum of the whole stream comes at its very end."""
        while self._compressed and self._advance(CHUNK):
            pass

    def _advance(self, size: int) -> bytes:
        data = self._stream.read(size)
        self.position += len(data)
        if self._compressed:
            require_no_bomb(self.position, self._key.limits.stream_bytes, self._key)
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


def _unpacked(file: BinaryIO) -> Stream | None:
    """The unpacked stream of a compressed file, None where it is not compressed.

    By content, not by name: servers and browsers unpack .tar.gz on the way without renaming it. More is compared than
    the formats' short magic numbers, because a plain tar starts with the name of its first member.
    """
    file.seek(0)
    start = file.read(10)
    file.seek(0)
    if start.startswith(b"\x1f\x8b\x08"):
        return gzip.GzipFile(fileobj=file, mode="rb")
    if start.startswith(b"BZh") and start[4:] in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"):  # a block, or the end
        return bz2.BZ2File(file)
    if start.startswith(b"\xfd7zXZ\x00"):
        return lzma.LZMAFile(file, format=lzma.FORMAT_XZ)
    return None


def _add_tar_member(found: FoundMembers, entry: _TarEntry, cursor: _Cursor) -> None:
    """Add a member to `found` and pass over its data; where they are cut short, the member says so."""
    position = cursor.position
    try:
        cursor.skip(entry.stored_bytes)
    except Exception:  # it has a name, and is not passed over in silence
        found.add(entry.name, position, entry.size, damaged("damaged or cut short"))
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
                raise damaged("damaged: extension headers without a member")
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
    raise damaged(f"damaged: more than {MAX_EXTENSIONS} extension headers before a member")


def _extension(info: tarfile.TarInfo, cursor: _Cursor) -> bytes:
    """What an extension header holds."""
    if info.size < 0:
        raise damaged("damaged: a header of negative size")
    require_within(info.size, MAX_EXTENSION_BYTES, "bytes in one header")
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
            raise damaged("damaged: a pax record of a wrong length")
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
        raise damaged("damaged: a member of negative size")
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
