"""Tar and zip files are listed and read in place, and none of them costs more than the limits, whatever it claims."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import time
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meteo_ray.archive.inputs.container_members import (
    DEFAULT_CONTAINER_LIMITS,
    MAX_NAME,
    ContainerLimits,
    Listing,
    Member,
    is_container,
)
from meteo_ray.archive.inputs.containers import close_container, list_members, read_member
from meteo_ray.archive.inputs.tar_files import MAX_EXTENSION_BYTES
from meteo_ray.imaging.decode import DecodeFailure

FILES = {"a.png": b"first", "sub/图 1.png": bytes(range(256)) * 500, "empty.gif": b"", "b\n.png": b"x" * 512}
PACKERS = {"tar": bytes, "tar.gz": gzip.compress, "tbz2": lambda data: bz2.compress(data, 1), "tar.xz": lzma.compress}
COMPRESSED = ("tar.gz", "tbz2", "tar.xz")
ALL = ("zip", *PACKERS)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """No test goes on with what another has left open."""
    close_container()
    yield
    close_container()


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as container:
        for name, content in files.items():
            container.writestr(name, content)
    return data.getvalue()


def tarred(files: dict[str, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=format) as container:
        for name, content in files.items():
            container.addfile(tar_info(name, len(content)), io.BytesIO(content))
    return data.getvalue()


def tar_info(name: str, size: int = 0, type: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, type
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def header(name: str, size: int = 0, type: bytes = tarfile.REGTYPE, **fields: object) -> bytes:
    """One header block, in a format that takes sizes beyond all bounds."""
    return tar_info(name, size, type, **fields).tobuf(tarfile.GNU_FORMAT)


def checksummed(block: bytes) -> bytes:
    """A header block with its checksum made right again."""
    return block[:148] + b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * ord(" ")) + block[156:]


def pax(*records: bytes) -> bytes:
    """A pax header with these records `LENGTH KEY=VALUE`, whether they are right or wrong."""
    data = b"".join(records)
    return header("pax", len(data), tarfile.XHDTYPE) + data + bytes(-len(data) % 512)


def packed(suffix: str, files: dict[str, bytes]) -> bytes:
    return zipped(files) if suffix == "zip" else PACKERS[suffix](tarred(files))


def written(folder: Path, name: str, data: bytes) -> str:
    (folder / name).write_bytes(data)
    return str(folder / name)


def verdicts(listing: Listing) -> dict[str, tuple[str, str]]:
    assert len({member.name for member in listing.members}) == len(listing.members)
    return {member.name: (member.status, member.reason) for member in listing.members}


def read(path: str, member: Member) -> bytes:
    return read_member(path, member.position, member.size)


def failure(path: str, limits: ContainerLimits = DEFAULT_CONTAINER_LIMITS) -> tuple[str, str]:
    with pytest.raises(DecodeFailure) as caught:
        list_members(path, limits)
    return caught.value.status, caught.value.reason


@pytest.mark.parametrize(
    "name", ["a.zip", "A.ZIP", "x/b.tar", "b.Tar.Gz", ".tgz", "c.tar.bz2", "c.tbz2", "d.tar.xz", "d.txz"]
)
def test_containers_are_known_by_their_suffix(name: str) -> None:
    assert is_container(name)


@pytest.mark.parametrize("name", ["a.docx", "a.npz", "a.gz", "a.png.gz", "zip", "tar", "a.zip.png", "a.7z", ""])
def test_other_files_are_none(name: str) -> None:
    assert not is_container(name)


@pytest.mark.parametrize("suffix", ALL)
def test_members_are_listed_and_read_in_order_and_backwards(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, f"a.{suffix}", packed(suffix, FILES))
    listing = list_members(path)
    assert listing.failure is None
    assert verdicts(listing) == dict.fromkeys(FILES, ("", ""))
    for members in (listing.members, listing.members[::-1]):
        assert {member.name: read(path, member) for member in members} == FILES
    assert [member.size for member in listing.members] == [len(content) for content in FILES.values()]


@pytest.mark.parametrize("suffix", ALL)
def test_a_member_can_be_sent_on_as_plain_values(tmp_path: Path, suffix: str) -> None:
    member = list_members(written(tmp_path, f"a.{suffix}", packed(suffix, {"a.png": b"12345"}))).members[0]
    position = 0 if suffix == "zip" else 512
    expected = {"name": "a.png", "position": position, "size": 5, "status": "", "reason": "", "detail": ""}
    assert asdict(member) == expected


@pytest.mark.parametrize("suffix", ALL)
def test_members_read_in_order_unpack_the_container_once(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, f"a.{suffix}", packed(suffix, FILES))
    members = list_members(path).members
    opened = []
    real = os.open
    monkeypatch.setattr(os, "open", lambda *args: opened.append(args) or real(*args))
    for member in members:
        read(path, member)
    assert opened == []
    close_container()
    read(path, members[0])
    assert len(opened) == 1


@pytest.mark.parametrize("content", COMPRESSED)
def test_how_a_tar_is_compressed_is_told_by_its_content(tmp_path: Path, content: str) -> None:
    for name in ("a.tar", "a.tgz"):
        path = written(tmp_path, name, packed(content, FILES))
        assert verdicts(list_members(path)) == dict.fromkeys(FILES, ("", ""))
    path = written(tmp_path, "b.tar.gz", tarred(FILES))
    assert read(path, list_members(path).members[0]) == b"first"


@pytest.mark.parametrize("name", ["BZh9.png", "\x1f\x8b", "BZh91AY"])
def test_a_plain_tar_may_start_like_a_compressed_one(tmp_path: Path, name: str) -> None:
    assert list(verdicts(list_members(written(tmp_path, "a.tar", tarred({name: b"x"}))))) == [name]


def test_an_empty_compressed_stream_is_a_tar_cut_short(tmp_path: Path) -> None:
    for suffix in COMPRESSED:
        assert failure(written(tmp_path, f"a.{suffix}", PACKERS[suffix](b""))) == ("error", "truncated")


@pytest.mark.parametrize("suffix", ALL)
def test_members_of_one_name_are_told_apart(tmp_path: Path, suffix: str) -> None:
    names = ["a", "a#2", "a", "a#2", "a"]
    data = io.BytesIO()
    if suffix == "zip":
        with zipfile.ZipFile(data, "w") as container, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of zipfile, about the duplicates
            for number, name in enumerate(names):
                container.writestr(name, str(number))
    else:
        with tarfile.open(fileobj=data, mode="w") as container:
            for number, name in enumerate(names):
                container.addfile(tar_info(name, 1), io.BytesIO(str(number).encode()))
    path = written(tmp_path, f"a.{suffix}", PACKERS.get(suffix, bytes)(data.getvalue()))
    members = list_members(path).members
    assert [member.name for member in members] == ["a", "a#2", "a#3", "a#2#2", "a#4"]
    assert [read(path, member) for member in members] == [b"0", b"1", b"2", b"3", b"4"]


def test_many_members_of_one_name_cost_no_more_than_others(tmp_path: Path) -> None:
    block = header("a.png")
    started = time.process_time()
    members = list_members(written(tmp_path, "a.tar", block * 2000 + bytes(1024))).members
    assert time.process_time() - started < 5
    assert members[-1].name == "a.png#2000"


@pytest.mark.parametrize("suffix", ["zip", "tar"])
@pytest.mark.parametrize(
    "name", ["/etc/a.png", "../a.png", "a/../../b.png", "C:\\a.png", "c:a.png", "..\\a.png", "\\\\host\\a.png"]
)
def test_names_that_lead_out_are_rejected(tmp_path: Path, suffix: str, name: str) -> None:
    path = written(tmp_path, f"a.{suffix}", packed(suffix, {name: b"x", "good.png": b"x"}))
    assert verdicts(list_members(path)) == {name: ("rejected", "path"), "good.png": ("", "")}


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_names_without_harm_are_taken(tmp_path: Path, suffix: str) -> None:
    names = ["a..b.png", "...", ".hidden", "sub\\a.png", "2024:a.png", "a%2f..%2fb", "~/a.png"]
    path = written(tmp_path, f"a.{suffix}", packed(suffix, dict.fromkeys(names, b"x")))
    assert verdicts(list_members(path)) == dict.fromkeys(names, ("", ""))


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_a_leading_dot_folder_is_left_out_of_names(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, f"a.{suffix}", packed(suffix, {"./a.png": b"x", ".//etc": b"x"}))
    assert verdicts(list_members(path)) == {"a.png": ("", ""), "/etc": ("rejected", "path")}


def test_an_empty_name_is_rejected(tmp_path: Path) -> None:
    nameless = zipped({"a.png": b"x"}).replace(b"a.png", b"\0.png")  # names end at the first NUL
    for name, data in (("a.zip", nameless), ("a.tar", tarred({"": b"x"}))):
        assert verdicts(list_members(written(tmp_path, name, data))) == {"": ("rejected", "path")}


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_a_name_longer_than_any_path_is_rejected_and_cut(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, f"a.{suffix}", packed(suffix, {"a" * (MAX_NAME + 1): b"x"}))
    assert verdicts(list_members(path)) == {"a" * MAX_NAME: ("rejected", "path")}


@pytest.mark.parametrize("suffix", ALL)
def test_containers_in_containers_stay_closed(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, f"a.{suffix}", packed(suffix, {"b.ZIP": zipped(FILES), "c.tgz": b"", "d.docx": b""}))
    rejected = ("rejected", "format")
    listing = list_members(path)
    assert verdicts(listing) == {"b.ZIP": rejected, "c.tgz": rejected, "d.docx": ("", "")}
    assert listing.members[0].detail == "an archive inside an archive is not opened"


@pytest.mark.parametrize("suffix", ALL)
def test_members_that_are_too_large_are_rejected_and_the_others_read(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, f"a.{suffix}", packed(suffix, {"a": bytes(1001), "b": bytes(1000)}))
    limits = ContainerLimits(member_bytes=1000)
    large, fits = list_members(path, limits).members
    assert (large.status, large.reason) == ("rejected", "too_large")
    assert large.detail == "1001 bytes, at most 1000 are taken"
    assert read_member(path, fits.position, fits.size, limits) == bytes(1000)
    with pytest.raises(DecodeFailure, match="1001 bytes, at most 1000 are taken"):
        read_member(path, large.position, large.size, limits)


def test_folders_are_passed_over(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as container:
        for name in ("sub/", "windows\\", "sub/a.png"):
            container.writestr(name, b"x" if name.endswith("g") else b"")
    assert list(verdicts(list_members(written(tmp_path, "a.zip", data.getvalue())))) == ["sub/a.png"]
    blocks = header(".", 0, tarfile.DIRTYPE) + header("sub", 99, tarfile.DIRTYPE) + header("a.png")
    assert list(verdicts(list_members(written(tmp_path, "a.tar", blocks + bytes(1024))))) == ["a.png"]


@pytest.mark.parametrize("type", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_rejected(tmp_path: Path, type: bytes) -> None:
    blocks = header("a.png", 0, type, linkname="/etc/passwd") + header("b.png") + bytes(1024)
    listing = list_members(written(tmp_path, "a.tar", blocks))
    assert verdicts(listing) == {"a.png": ("rejected", "special"), "b.png": ("", "")}


def test_unknown_types_in_a_tar_are_rejected_with_their_data(tmp_path: Path) -> None:
    blocks = header("volume", 3, b"V") + b"abc" + bytes(509) + header("b.png") + bytes(1024)
    listing = list_members(written(tmp_path, "a.tar", blocks))
    assert verdicts(listing) == {"volume": ("rejected", "special"), "b.png": ("", "")}
    assert "unknown type b'V'" in listing.members[0].detail


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_a_zip_are_rejected(tmp_path: Path, mode: int) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as container:
        for name, kind in (("a.png", mode), ("b.png", stat.S_IFREG), ("c.png", 0)):
            info = zipfile.ZipInfo(name)
            info.external_attr = (kind | 0o644) << 16
            container.writestr(info, b"/etc/passwd")
    found = verdicts(list_members(written(tmp_path, "a.zip", data.getvalue())))
    assert found == {"a.png": ("rejected", "special"), "b.png": ("", ""), "c.png": ("", "")}


def test_sparse_files_are_rejected(tmp_path: Path) -> None:
    old = bytearray(header("old", 512, tarfile.GNUTYPE_SPARSE))
    old[482], old[483:495] = 1, b"00000001000\0"  # its map goes on in a block of its own
    modern = pax(b"22 GNU.sparse.major=1\n", b"28 GNU.sparse.name=real.png\n")
    blocks = checksummed(bytes(old)) + bytes(512) + b"d" * 512 + modern + header("GNUSparse", 600) + b"d" * 1024
    path = written(tmp_path, "a.tar", blocks + header("b.png") + bytes(1024))
    special = ("rejected", "special")
    assert verdicts(list_members(path)) == {"old": special, "real.png": special, "b.png": ("", "")}


@pytest.mark.parametrize("flags", [0x1, 0x41, 0x2001])
def test_encrypted_members_are_rejected(tmp_path: Path, flags: int) -> None:
    data = zipped({"a.png": b"x", "b.png": b"x"})
    start = data.index(b"PK\x01\x02")
    path = written(tmp_path, "a.zip", data[: start + 8] + struct.pack("<H", flags) + data[start + 10 :])
    listing = list_members(path)
    assert verdicts(listing) == {"a.png": ("rejected", "format"), "b.png": ("", "")}
    assert "encrypted" in listing.members[0].detail
    with pytest.raises(DecodeFailure, match="rejected/format"):
        read(path, listing.members[0])


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_compressions_that_cannot_be_bounded_are_rejected(tmp_path: Path, compression: int) -> None:
    path = written(tmp_path, "a.zip", zipped({"a.png": b"x"}, compression))
    listing = list_members(path)
    assert verdicts(listing) == {"a.png": ("rejected", "format")}
    with pytest.raises(DecodeFailure, match=f"zip compression {compression} is not taken"):
        read(path, listing.members[0])


def test_a_zip_of_an_unknown_version_is_an_error(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.png": b"x"}))
    data[data.index(b"PK\x01\x02") + 6] = 99
    assert failure(written(tmp_path, "a.zip", bytes(data))) == ("error", "truncated")


@pytest.mark.parametrize("suffix", ALL)
def test_too_many_members(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, f"a.{suffix}", packed(suffix, FILES))
    assert len(list_members(path, ContainerLimits(members=4)).members) == 4
    with pytest.raises(DecodeFailure, match=r"^rejected/too_large: 4 members, at most 3 are taken"):
        list_members(path, ContainerLimits(members=3))


def test_the_directory_of_a_zip_is_counted_before_objects_are_made_of_it(tmp_path: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as container:
        for number in range(50):  # with their comments more than is read in one piece
            info = zipfile.ZipInfo(str(number))
            info.comment = bytes(30_000)
            container.writestr(info, b"")
    path = written(tmp_path, "a.zip", data.getvalue())
    made = []
    real = zipfile.ZipInfo.__init__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zipfile.ZipInfo, "__init__", lambda *args: made.append(args) or real(*args))
        assert failure(path, ContainerLimits(members=49)) == ("rejected", "too_large")
        assert made == []
    assert len(list_members(path, ContainerLimits(members=50)).members) == 50


def test_a_directory_that_is_larger_than_any_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meteo_ray.archive.inputs.zip_files.CHUNK", 10)
    monkeypatch.setattr("meteo_ray.archive.inputs.zip_files.MAX_NAMES", 150)
    path = written(tmp_path, "a.zip", zipped(FILES))
    with pytest.raises(DecodeFailure, match=r"bytes of directory, at most 150 are taken"):
        list_members(path)


def test_names_add_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meteo_ray.archive.inputs.container_members.MAX_NAMES", 150)
    path = written(tmp_path, "a.tar", tarred({f"{number:090}": b"" for number in range(2)}))
    with pytest.raises(DecodeFailure, match=r"180 characters of names, at most 150 are taken"):
        list_members(path)


def test_folders_count_as_members(tmp_path: Path) -> None:
    blocks = header("sub", 0, tarfile.DIRTYPE) * 4 + bytes(1024)
    assert failure(written(tmp_path, "a.tar", blocks), ContainerLimits(members=3)) == ("rejected", "too_large")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as container:
        for number in range(4):
            container.writestr(f"{number}/", b"")
    path = written(tmp_path, "a.zip", data.getvalue())
    assert failure(path, ContainerLimits(members=3)) == ("rejected", "too_large")


@pytest.mark.parametrize("suffix", ["zip", "tar"])
def test_members_that_unpack_to_too_much_together(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, f"a.{suffix}", packed(suffix, {"a": bytes(1000), "b": bytes(1000)}))
    with pytest.raises(DecodeFailure, match=r"^rejected/too_large: 2000 bytes unpacked, at most 1999 are taken"):
        list_members(path, ContainerLimits(unpacked_bytes=1999))
    # What is not read costs nothing and counts nothing.
    assert len(list_members(path, ContainerLimits(member_bytes=999, unpacked_bytes=0)).members) == 2


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_a_compressed_tar_unpacks_to_a_limit_even_where_nothing_is_read(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, f"a.{suffix}", packed(suffix, {"a": bytes(10**6)}))
    limits = ContainerLimits(member_bytes=10, stream_bytes=10**6)
    with pytest.raises(DecodeFailure, match=r"^rejected/too_large: \d+ bytes unpacked, at most 1000000 are taken"):
        list_members(path, limits)
    assert verdicts(list_members(path, replace(limits, stream_bytes=2 * 10**6))) == {"a": ("rejected", "too_large")}


def test_a_zip_bomb_is_rejected_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as container, container.open("a.bmp", "w") as member:
        for _ in range(101):
            member.write(bytes(2**20))
    with pytest.raises(DecodeFailure, match=r"^rejected/too_large: it unpacks to \d+ times its size, at most 200 are"):
        list_members(str(path))


@pytest.mark.parametrize("suffix", COMPRESSED)
def test_a_bomb_in_a_compressed_tar_is_not_unpacked_to_its_end(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, f"a.{suffix}", packed(suffix, {"a.bmp": bytes(8 * 2**20)}))
    limits = ContainerLimits(ratio_from_bytes=2**20)
    with pytest.raises(DecodeFailure, match=r"^rejected/too_large: it unpacks to \d+ times its size, at most 200 are"):
        list_members(path, limits)
    with pytest.raises(DecodeFailure, match=r" [2345]\d{6} bytes unpacked, at most 2000000 are taken"):
        list_members(path, ContainerLimits(stream_bytes=2 * 10**6))


def test_a_blank_bitmap_is_no_bomb(tmp_path: Path) -> None:
    for suffix in ("zip", "tar.xz"):
        path = written(tmp_path, f"a.{suffix}", packed(suffix, {"a.bmp": bytes(2**20)}))
        assert list_members(path, ContainerLimits(ratio=10)).failure is None
        with pytest.raises(DecodeFailure, match="at most 10 are taken"):
            list_members(path, ContainerLimits(ratio=10, ratio_from_bytes=2**20 - 1))


def test_members_that_share_their_bytes_are_a_bomb(tmp_path: Path) -> None:
    """As in Fifield's bomb: every entry of the directory points at the same data."""
    data = zipped({"a.png": os.urandom(1000)})
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entries = data[start:end] * 10
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 10, 10, len(entries), start, 0)
    path = written(tmp_path, "a.zip", data[:start] + entries + tail)
    with pytest.raises(DecodeFailure, match=r"^rejected/too_large: \d+ packed bytes of members in a file of \d+"):
        list_members(path)


@pytest.mark.parametrize("content", [b"", b"\0" * 10240, tarred({}), b"PK\x05\x06" + bytes(18), zipped({"sub/": b""})])
def test_a_container_without_files_is_empty(tmp_path: Path, content: bytes) -> None:
    name = "a.zip" if content.startswith(b"PK") else "a.tar"
    assert failure(written(tmp_path, name, content)) == ("error", "empty")


@pytest.mark.parametrize("suffix", ALL)
def test_no_container_at_all(tmp_path: Path, suffix: str) -> None:
    assert failure(written(tmp_path, f"a.{suffix}", b"not a container" * 100)) == ("error", "truncated")


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    assert failure(str(tmp_path / "gone.zip")) == ("error", "changed")
    (tmp_path / "folder.tar").mkdir()
    os.mkfifo(tmp_path / "pipe.zip")
    for name in ("folder.tar", "pipe.zip"):
        assert failure(str(tmp_path / name)) == ("error", "io")


def test_storage_that_fails_is_told_from_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "a.tar.gz", packed("tar.gz", FILES))
    member = list_members(path).members[1]

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(gzip.GzipFile, "read", fail)
    with pytest.raises(DecodeFailure, match=r"^error/io: .*a.tar.gz: Input/output error"):
        read(path, member)
    monkeypatch.undo()
    assert read(path, member) == FILES[member.name]


def test_memory_that_runs_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "a.tar.xz", packed("tar.xz", FILES))

    def fail(*_: object) -> bytes:
        raise MemoryError  # a dictionary of 4 GiB, which the file may ask for

    monkeypatch.setattr(lzma.LZMAFile, "read", fail)
    assert failure(path) == ("error", "crashed")


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_tar_that_is_cut_short_keeps_its_whole_members(tmp_path: Path, suffix: str) -> None:
    noise = os.urandom(300_000)
    data = packed(suffix, {"a": noise, "b": os.urandom(300_000), "c": os.urandom(300_000)})
    path = written(tmp_path, f"a.{suffix}", data[: len(data) // 2])
    listing = list_members(path)
    assert verdicts(listing) == {"a": ("", ""), "b": ("error", "truncated")}
    assert listing.failure is not None
    assert (listing.failure.status, listing.failure.reason) == ("error", "truncated")
    assert read(path, listing.members[0]) == noise
    with pytest.raises(DecodeFailure):
        read(path, listing.members[1])
    assert read(path, listing.members[0]) == noise


def test_a_tar_without_its_end_mark_may_have_lost_members(tmp_path: Path) -> None:
    listing = list_members(written(tmp_path, "a.tar", tarred({"a": b"x"})[:1024]))
    assert verdicts(listing) == {"a": ("", "")}
    assert listing.failure is not None
    cut_in_its_padding = list_members(written(tmp_path, "b.tar", tarred({"a": b"x"})[:600]))
    assert verdicts(cut_in_its_padding) == {"a": ("", "")}
    assert cut_in_its_padding.failure is not None


def test_a_damaged_header_ends_a_tar(tmp_path: Path) -> None:
    data = bytearray(tarred({"a": b"x", "b": b"x", "c": b"x"}))
    data[1024 + 5] ^= 1
    listing = list_members(written(tmp_path, "a.tar", bytes(data)))
    assert verdicts(listing) == {"a": ("", "")}
    assert "bad checksum" in str(listing.failure)


def test_the_checksum_of_a_whole_stream_is_compared(tmp_path: Path) -> None:
    for suffix in COMPRESSED:
        data = bytearray(packed(suffix, {"a": os.urandom(1000)}))
        data[-8 if suffix == "tar.gz" else -5] ^= 1
        listing = list_members(written(tmp_path, f"a.{suffix}", bytes(data)))
        assert listing.failure is not None, suffix


def test_a_cut_zip_has_no_directory(tmp_path: Path) -> None:
    assert failure(written(tmp_path, "a.zip", zipped(FILES)[:-30])) == ("error", "truncated")


def test_damaged_members_of_a_zip_are_found_when_they_are_read(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.png": os.urandom(1000), "b.png": b"good"}, zipfile.ZIP_STORED))
    data[500] ^= 1
    path = written(tmp_path, "a.zip", bytes(data))
    damaged, good = list_members(path).members
    with pytest.raises(DecodeFailure, match=r"error/truncated: .*CRC"):
        read(path, damaged)
    assert read(path, good) == b"good"


@pytest.mark.parametrize("size", [0, 5, 999, 1001, 2**32 - 2])
def test_a_zip_that_lies_about_a_size(tmp_path: Path, size: int) -> None:
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        data = zipped({"a.png": bytes(1000)}, compression)
        at = data.index(b"PK\x01\x02") + 24
        path = written(tmp_path, "a.zip", data[:at] + struct.pack("<L", size) + data[at + 4 :])
        (member,) = list_members(path).members
        with pytest.raises(DecodeFailure) as caught:
            read(path, member)
        assert caught.value.reason == ("too_large" if size > 2**31 else "truncated")


@pytest.mark.parametrize(("at", "value"), [(42, 2**31), (20, 2**31), (42, 2)])
def test_a_zip_that_lies_about_where_its_data_is(tmp_path: Path, at: int, value: int) -> None:
    data = zipped({"a.png": bytes(1000), "b.png": b"good"})
    at += data.index(b"PK\x01\x02")
    path = written(tmp_path, "a.zip", data[:at] + struct.pack("<L", value) + data[at + 4 :])
    lying, good = list_members(path).members
    with pytest.raises(DecodeFailure, match="error/truncated"):
        read(path, lying)
    assert read(path, good) == b"good"


@pytest.mark.parametrize("packer", [bytes, gzip.compress])
@pytest.mark.parametrize("size", [2000, 2**33, 2**70])
def test_a_tar_that_lies_about_a_size(tmp_path: Path, packer: type[bytes], size: int) -> None:
    blocks = header("good.png", 3) + b"abc" + bytes(509) + header("a.png", size) + bytes(1024)
    listing = list_members(written(tmp_path, "a.tar", packer(blocks)))
    assert verdicts(listing) == {"good.png": ("", ""), "a.png": ("error", "truncated")}
    assert listing.members[1].size <= 2**63 - 1  # can be stored
    assert listing.failure is not None


@pytest.mark.parametrize(
    "blocks",
    [
        header("a.png", -512),
        header("a.png", -(2**60)),
        header("a.png", -1024, tarfile.XHDTYPE) + header("b.png"),
        checksummed(header("a.png").replace(b"00000000000\0", b"-0000001000\0", 1)),
        pax(b"14 size=-1024\n") + header("a.png"),
        pax(b"11 size=1e9\n") + header("a.png"),
        pax(b"5008 size=" + b"9" * 4997 + b"\n") + header("a.png"),
        pax(b"0 path=a\n") + header("a.png"),
        pax(b"-9 path=a\n") + header("a.png"),
        pax(b"99 path=a\n") + header("a.png"),
        pax(b"path=a\n") + header("a.png"),
        pax(b"9" * 600) + header("a.png"),
        pax(b"10 path=a\n") * 20 + header("a.png"),
        header("././@LongLink", 10, tarfile.GNUTYPE_LONGNAME) + b"a" * 10 + bytes(502),
        header("././@LongLink", 0, tarfile.GNUTYPE_LONGNAME) * 5000 + header("a.png"),
    ],
)
def test_headers_that_would_lead_in_circles_or_nowhere(tmp_path: Path, blocks: bytes) -> None:
    good = header("good.png")
    listing = list_members(written(tmp_path, "a.tar", good + blocks + bytes(1024)))
    assert verdicts(listing)["good.png"] == ("", "")
    assert listing.failure is not None


@pytest.mark.parametrize("type", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_extension_headers_of_any_length_are_not_read(tmp_path: Path, type: bytes) -> None:
    path = tmp_path / "a.tar"
    with path.open("wb") as file:
        file.write(header("good.png") + header("a", 10 * 2**30, type))
        file.truncate(11 * 2**30)  # no space on disk is taken
    with pytest.raises(DecodeFailure, match=rf"{10 * 2**30} bytes in one header, at most {MAX_EXTENSION_BYTES} are"):
        list_members(str(path))


def test_a_sparse_map_that_never_ends(tmp_path: Path) -> None:
    block = bytearray(header("a", 0, tarfile.GNUTYPE_SPARSE))
    block[482], block[483:495] = 1, b"00000001000\0"
    listing = list_members(written(tmp_path, "a.tar", header("b.png") + checksummed(bytes(block)) + b"\x01" * 51200))
    assert verdicts(listing) == {"b.png": ("", "")}
    assert listing.failure is not None


def test_a_pax_header_counts_for_the_next_member_alone(tmp_path: Path) -> None:
    named = pax(b"14 path=x.png\n", b"10 size=3\n", b"18 mtime=123.4567\n")
    blocks = named + header("short", 0) + b"abc" + bytes(509) + header("b.png") + bytes(1024)
    path = written(tmp_path, "a.tar", blocks)
    members = list_members(path).members
    assert [member.name for member in members] == ["x.png", "b.png"]
    assert read(path, members[0]) == b"abc"


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_names_that_are_not_utf8_are_shown_as_escapes(tmp_path: Path, format: int) -> None:
    for name, shown in (("caf\udce9.png", "caf\\xe9.png"), ("\udce9" * 90, "\\xe9" * 90)):
        path = written(tmp_path, "a.tar", tarred({name: b"x"}, format))
        listing = list_members(path)
        assert verdicts(listing) == {shown: ("", "")}
        assert read(path, listing.members[0]) == b"x"


def test_names_of_a_zip_are_those_that_zipfile_gives(tmp_path: Path) -> None:
    data = zipped({"图.png": b"x", "abcd.png": b"x", "a\0b.png": b"x"})
    data = data.replace(b"abcd.png", b"caf\x82.png")
    names = list(verdicts(list_members(written(tmp_path, "a.zip", data))))
    assert names == ["图.png", "café.png", "a"]


@pytest.mark.parametrize("suffix", ALL)
def test_a_container_that_goes_or_shrinks_between_listing_and_reading(tmp_path: Path, suffix: str) -> None:
    noise = os.urandom(50_000)
    path = written(tmp_path, f"a.{suffix}", packed(suffix, {"a": noise, "b": noise}))
    member = list_members(path).members[1]
    written(tmp_path, f"a.{suffix}", packed(suffix, {"a": noise}))
    with pytest.raises(DecodeFailure) as caught:
        read(path, member)
    assert caught.value.reason == ("truncated" if suffix in COMPRESSED else "changed")
    os.unlink(path)
    with pytest.raises(DecodeFailure, match=r"error/changed: .* no longer there"):
        read(path, member)


def test_a_container_that_was_replaced_is_opened_anew(tmp_path: Path) -> None:
    path = written(tmp_path, "a.zip", zipped({"a": b"old"}, zipfile.ZIP_STORED))
    (member,) = list_members(path).members
    assert read(path, member) == b"old"
    (tmp_path / "new").write_bytes(zipped({"a": b"new"}, zipfile.ZIP_STORED))
    os.replace(tmp_path / "new", path)
    assert read(path, member) == b"new"


def test_positions_that_no_listing_gives_are_a_mistake_of_the_caller(tmp_path: Path) -> None:
    path = written(tmp_path, "a.tar", tarred(FILES))
    for position, size in ((-1, 5), (512, -1)):
        with pytest.raises(ValueError, match="negative"):
            read_member(path, position, size)


def test_no_file_stays_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for suffix in ALL:
        for data in (packed(suffix, FILES), packed(suffix, FILES)[:-40], b"no container"):
            path = written(tmp_path, f"a.{suffix}", data)
            with contextlib.suppress(DecodeFailure):
                read(path, list_members(path).members[0])
    close_container()
    assert len(os.listdir("/proc/self/fd")) == before


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=160)


@given(st.dictionaries(names, st.binary(max_size=1500), min_size=1, max_size=6), st.sampled_from([1, 2]))
@settings(max_examples=50)
def test_a_tar_holds_what_tarfile_finds_in_it(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], format: int
) -> None:
    data = tarred(files, format)
    with tarfile.open(fileobj=io.BytesIO(data)) as container:
        expected = [(info.offset_data, info.size) for info in container if info.isreg()]
    if not expected:  # each name ends with a slash, which makes it a folder
        return
    path = written(tmp_path_factory.getbasetemp(), "same.tar", data)
    listing = list_members(path)
    assert listing.failure is None
    assert [(member.position, member.size) for member in listing.members] == expected


SMALL = {"a.png": b"first" * 30, "sub/" + "b" * 120: os.urandom(700), "c.gif": b"", "café.png": b"x"}
LOW = ContainerLimits(members=20, member_bytes=10**5, unpacked_bytes=10**6, stream_bytes=10**6)
BASES = [
    ("a.zip", zipped(SMALL)),
    ("a.zip", zipped(SMALL, zipfile.ZIP_STORED)),
    ("a.tar", tarred(SMALL)),
    ("a.tar", tarred(SMALL, tarfile.GNU_FORMAT)),
    ("a.tar.gz", gzip.compress(tarred(SMALL))),
    ("a.tar.xz", lzma.compress(tarred(SMALL))),
    ("a.tar.bz2", bz2.compress(tarred(SMALL))),
]


def require_failures_only(path: str) -> None:
    """Lists and reads all of it: no exception but DecodeFailure comes out."""
    try:
        members = list_members(path, LOW).members
    except DecodeFailure:
        return
    assert 0 < len(members) <= LOW.members
    for member in members:
        try:
            assert len(read_member(path, member.position, member.size, LOW)) == member.size
        except DecodeFailure:
            assert member.status or path.endswith((".zip", ".gz", ".xz", ".bz2"))


@given(st.data())
@settings(max_examples=100)
def test_damaged_bytes_give_failures_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    name, content = data.draw(st.sampled_from(BASES))
    damaged = bytearray(content)
    # A zip is read from its end: damage is put there as often as anywhere.
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1) | st.integers(max(0, len(content) - 400), len(content) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.just(len(content)) | st.integers(1, len(content)))
    require_failures_only(written(tmp_path_factory.getbasetemp(), name, bytes(damaged[:end])))


@given(st.data())
@settings(max_examples=100)
def test_headers_that_claim_anything_give_failures_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Their checksums are right, so that every field is believed at first."""
    content = data.draw(st.sampled_from([content for name, content in BASES if name == "a.tar"]))
    blocks = [content[start : start + 512] for start in range(0, len(content), 512)][:20]
    for _ in range(data.draw(st.integers(1, 3))):
        block = bytearray(blocks[number := data.draw(st.integers(0, len(blocks) - 1))])
        field, longest = data.draw(st.sampled_from([(0, 8), (124, 12), (156, 1), (345, 8), (482, 13)]))
        kinds = st.sampled_from([b"x", b"g", b"L", b"S", b"-1", b"7"])
        value = data.draw(st.binary(min_size=1, max_size=longest) | kinds)[:longest]
        block[field : field + len(value)] = value
        blocks[number] = checksummed(bytes(block))
    pack = data.draw(st.sampled_from([bytes, gzip.compress]))
    require_failures_only(written(tmp_path_factory.getbasetemp(), "a.tar", pack(b"".join(blocks))))
