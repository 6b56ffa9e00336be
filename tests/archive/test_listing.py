"""Every file becomes one entry, whatever its name and kind (faults 20-24, 27)."""

import csv
import errno
import hashlib
import os
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from meteo_ray.archive.inputs import listing
from meteo_ray.archive.inputs.listing import Entry, list_local, list_remote
from meteo_ray.archive.inputs.source import open_source
from meteo_ray.errors import MachineFault, UsageError
from meteo_ray.files import image_id

ODD_NAMES = [
    "图 1.png",
    "a b.png",
    "a#b.png",
    "a%20b.png",
    "a\nb.png",
    "a?b.png",
    ".hidden.png",
    "_under.png",
    "=1.png",
]


def listed(root: Path) -> dict[str, Entry]:
    entries = list(list_local(root))
    found = {entry.path: entry for entry in entries}
    assert len(found) == len(entries), "a file was listed twice"
    return found


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_are_found(tmp_path: Path, name: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / name).write_bytes(b"12345")
    entry = listed(tmp_path)[f"sub/{name}"]
    assert (entry.status, entry.size) == ("", 5)
    assert entry.image_id == hashlib.sha256(f"sub/{name}".encode()).hexdigest()[:16]


def test_files_that_are_no_images_are_listed_too(tmp_path: Path) -> None:
    for name in ("readme.txt", "Thumbs.db", "empty"):
        (tmp_path / name).write_bytes(b"")
    assert set(listed(tmp_path)) == {"readme.txt", "Thumbs.db", "empty"}


def test_name_that_is_not_utf8_is_listed_and_printable(tmp_path: Path) -> None:
    raw = b"caf\xe9.png"
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + raw)).write_bytes(b"x")
    (entry,) = list_local(tmp_path)
    assert (entry.status, entry.path, entry.name) == ("", "caf\\xe9.png", raw)
    assert entry.image_id == image_id(raw)


def test_link_inside_is_a_row_and_link_outside_is_rejected(tmp_path: Path) -> None:
    root, outside = tmp_path / "archive", tmp_path / "secret.png"
    root.mkdir()
    outside.write_bytes(b"secret")
    (root / "a.png").write_bytes(b"x")
    (root / "inside.png").symlink_to("a.png")
    (root / "outside.png").symlink_to(outside)
    (root / "relative.png").symlink_to("../secret.png")
    (root / "folder").symlink_to(tmp_path)
    found = listed(root)
    assert found["inside.png"].status == ""
    for name in ("outside.png", "relative.png", "folder"):
        assert (found[name].status, found[name].reason) == ("rejected", "path")
    assert len(found) == 5


def test_a_sibling_with_the_same_prefix_is_outside(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    (tmp_path / "archive2").mkdir()
    (tmp_path / "archive2" / "a.png").write_bytes(b"x")
    (tmp_path / "archive" / "a.png").symlink_to(tmp_path / "archive2" / "a.png")
    assert listed(tmp_path / "archive")["a.png"].reason == "path"


def test_loops_of_links_end_and_repeat_nothing(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.png").write_bytes(b"x")
        (tmp_path / folder / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "across").symlink_to(tmp_path / "b")
    (tmp_path / "self").symlink_to("self")
    found = listed(tmp_path)
    assert set(found) == {"a/x.png", "b/x.png", "self"}
    assert (found["self"].status, found["self"].reason) == ("error", "io")


def test_dangling_link_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    found = listed(tmp_path)["gone.png"]
    assert (found.status, found.reason) == ("error", "io")
    assert found.detail == "a link to nowhere: No such file or directory"


def test_pipes_and_sockets_are_rejected_without_being_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        found = listed(tmp_path)
    assert {entry.reason for entry in found.values()} == {"special"}
    assert {entry.status for entry in found.values()} == {"rejected"}


def test_folder_that_cannot_be_read_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.png").write_bytes(b"x")
    scandir = os.scandir

    def refuse(path: bytes) -> "os.ScandirIterator[bytes]":
        if path.endswith(b"closed"):
            raise PermissionError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # chmod does not stop a test that runs as root
    found = listed(tmp_path)
    assert (found["closed/"].status, found["closed/"].reason) == ("error", "io")
    assert found["a.png"].status == ""


def refused(monkeypatch: pytest.MonkeyPatch, error: OSError, times: int) -> None:
    """Scanning a folder breaks off after its first entry, `times` times."""
    scandir, left = os.scandir, [times]

    class Breaking:
        def __init__(self, path: bytes) -> None:
            self.found = scandir(path)

        def __enter__(self) -> "Breaking":
            return self

        def __exit__(self, *_: object) -> None:
            self.found.close()

        def __iter__(self) -> Iterator["os.DirEntry[bytes]"]:
            for item in self.found:
                yield item
                if left[0]:
                    left[0] -= 1
                    raise error

    monkeypatch.setattr(os, "scandir", Breaking)
    monkeypatch.setattr(listing, "SCAN_WAITS_S", (0.0, 0.0))


def test_a_scan_that_breaks_off_is_repeated_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(b"x")
        (tmp_path / f"sub{number}").mkdir()
        (tmp_path / f"sub{number}" / "x.png").write_bytes(b"x")
    refused(monkeypatch, OSError(errno.EIO, "Input/output error"), times=2)
    entries = {entry.path: entry for entry in list_local(tmp_path)}
    assert len(entries) == 10
    assert {entry.status for entry in entries.values()} == {""}


def test_a_folder_that_cannot_be_scanned_leaves_the_listing_unfinished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    refused(monkeypatch, OSError(errno.ESTALE, "Stale file handle"), times=99)
    with pytest.raises(MachineFault, match="Stale file handle"):
        list(list_local(tmp_path))


def test_a_list_of_paths_is_an_archive(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "图,1.png").write_bytes(b"12")
    (tmp_path / "b.png").write_bytes(b"123")
    paths = ["a/图,1.png", str(tmp_path / "b.png"), "missing.png", "a"]
    (tmp_path / "list.txt").write_text("\ufeff" + "\n\n".join(paths), "utf-8")
    with (tmp_path / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["number", "path"], *enumerate(paths)])
    pq.write_table(pa.table({"path": paths}), tmp_path / "list.parquet")
    found = []
    for name in ("list.txt", "list.csv", "list.parquet"):
        found.append([(e.path, e.size, e.status, e.reason, e.detail) for e in open_source(tmp_path / name).entries()])
    assert found[0] == found[1] == found[2]
    assert found[0] == [
        (paths[0], 2, "", "", ""),
        (paths[1], 3, "", "", ""),
        ("missing.png", 0, "error", "io", "no such file"),
        ("a", 0, "rejected", "special", "a folder, not a file"),
    ]


def test_a_list_in_another_encoding_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "list.txt").write_bytes("a.png\n天气.png\n雨.png\n".encode("gbk"))
    with caplog.at_level("WARNING", "meteo_ray"):
        assert len(list(open_source(tmp_path / "list.txt").entries())) == 3
    (message,) = caplog.messages
    assert "list.txt:2: is not UTF-8" in message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("l.csv", "file\na.png\n", "no column `path`"),
        ("l.parquet", "PAR1", "cannot be read"),
        ("l.csv", "\xff", "UTF-8"),
    ],
)
def test_a_list_that_cannot_be_used_is_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=message):
        list(open_source(tmp_path / name).entries())


def test_members_of_containers_are_rows_and_a_damaged_one_has_its_own(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "day.zip", "w") as archive:
        archive.writestr("a/1.png", b"12345")
        archive.writestr("../2.png", b"1")
    (tmp_path / "broken.tar.gz").write_bytes(b"\x1f\x8b and no more")
    (tmp_path / "report.docx").write_bytes((tmp_path / "day.zip").read_bytes())
    (tmp_path / "plain.png").write_bytes(b"x")
    found = {e.path: (e.status, e.reason) for e in open_source(tmp_path).entries()}
    assert found.pop("broken.tar.gz")[0] == "error"
    assert found == {
        "day.zip/a/1.png": ("", ""),
        "day.zip/../2.png": ("rejected", "path"),
        "report.docx": ("", ""),
        "plain.png": ("", ""),
    }
    assert {e.path for e in open_source(tmp_path / "day.zip").entries()} == {"day.zip/a/1.png", "day.zip/../2.png"}


def test_root_that_is_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").write_bytes(b"x")
    (tmp_path / "link").symlink_to("real")
    assert listed(tmp_path / "link")["a.png"].status == ""


def test_listing_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for one entry of a large folder reads no more than that from the file system."""
    for number in range(100):
        (tmp_path / f"{number}.png").write_bytes(b"x")
    looked_at = []
    real = os.path.relpath
    monkeypatch.setattr(os.path, "relpath", lambda *args: looked_at.append(args) or real(*args))
    next(list_local(tmp_path))
    assert len(looked_at) < 5


def test_remote_listing_gives_the_same_ids_as_the_local_one(tmp_path: Path) -> None:
    for name in ("a.png", "sub/图 1.png", "sub/deep/b#.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"xyz")
    remote = {entry.path: entry for entry in list_remote("file://", fs.LocalFileSystem(), f"{tmp_path}/")}
    assert remote == listed(tmp_path)
