"""Zip files, read in place.

zipfile would make objects of a directory of any length, so its reads are watched. Runs in the guarded child.
"""

import io
import stat
import zipfile

from meteo_ray.archive.inputs.container_members import (
    CHUNK,
    MAX_NAMES,
    ContainerKey,
    FoundMembers,
    damaged,
    gather,
    require_whole,
    require_within,
    too_large,
)
from meteo_ray.imaging.decode import DecodeFailure

ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13  # flags of a zip member: encrypted, strongly, with its directory (APPNOTE 4.4.4)
PATCHED = 1 << 5  # the member holds differences to a file elsewhere
UNIX = 3  # the system whose file modes a zip's directory then gives (APPNOTE 4.4.2)
DIRECTORY_ENTRY = b"PK\x01\x02"  # starts every entry of a zip's directory (APPNOTE 4.3.12)


class ZipContainer:
    """An open zip file."""

    def __init__(self, raw: io.FileIO, key: ContainerKey) -> None:
        self.key = key
        self._file = _WatchedReader(raw, key.limits.members)
        self._zip = zipfile.ZipFile(self._file)

    def add_members(self, found: FoundMembers) -> None:
        """Add every member to `found`."""
        packed = 0
        for position, info in enumerate(self._zip.infolist()):
            if _is_zip_folder(info):
                found.count(info.filename)
            elif found.add(info.filename, position, info.file_size, _zip_refusal(info, self.key.packed_bytes)):
                packed += info.compress_size
        if packed > self.key.packed_bytes:  # as in Fifield's bomb
            detail = f"{packed} packed bytes of members in a file of {self.key.packed_bytes}: they share them"
            raise too_large(detail)

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
            data = gather(member, size + 1)  # its checksum is compared where its end is seen
        require_whole(data, size)
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
        require_within(size, MAX_NAMES, "bytes of directory")
        data = super().read(size)
        require_within(data.count(DIRECTORY_ENTRY), self._members, "members")
        return data


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
        return damaged("its data lies outside of the container")
    return None
