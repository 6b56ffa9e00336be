"""Listed files become pixels or a reason; what is wrong with the machine is held against no file."""

import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meteo_ray.archive.inputs.listing import Entry
from meteo_ray.archive.inputs.source import LocalSource, open_source
from meteo_ray.archive.reading import health
from meteo_ray.archive.reading.claims import ClaimTable
from meteo_ray.archive.reading.limits import Limits
from meteo_ray.archive.reading.reader import HOLD_FILE, TWIN, Read, Reader
from meteo_ray.errors import MachineFault
from meteo_ray.imaging import guarded_process
from meteo_ray.imaging.decode import DecodeFailure
from tests.archive.fakes import BLUE, RED, paint
from tests.imaging.test_guarded_decoding import landlock_here

LIMITS = Limits(timeout_s=20.0, memory_limit_mb=1536)
SIZE = (320, 240)

Rows = list[dict[str, Any]]


def listed(source: LocalSource) -> Rows:
    """Rows of the manifest, in the order of their paths."""
    rows = [{name: getattr(entry, name) for name in Entry.__slots__} for entry in source.entries()]
    return sorted(rows, key=lambda row: row["path"])


def read(source: LocalSource, rows: Rows | None = None, limits: Limits = LIMITS) -> dict[str, Read]:
    rows = listed(source) if rows is None else rows
    with Reader(source, limits, SIZE) as reader:
        return {row["path"]: result for row, result in zip(rows, reader.read_rows(rows), strict=True)}


def verdicts(found: dict[str, Read]) -> dict[str, tuple[str, str]]:
    return {path: (result.status, result.reason) for path, result in found.items()}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    for number in range(4):
        paint(folder / f"chart{number}.png", BLUE, number)
    return folder


def test_every_file_is_a_row_with_its_reason_and_the_decoders_words(archive: Path) -> None:
    (archive / "empty.png").write_bytes(b"")
    (archive / "notes.txt").write_text("no image")
    (archive / "truncated.png").write_bytes((archive / "chart0.png").read_bytes()[:2000])
    (archive / "dangling.png").symlink_to("nowhere")
    (archive / "paper.pdf").write_bytes(b"%PDF-1.7 and so on")
    found = read(open_source(archive))
    assert verdicts(found) == {
        **{f"chart{number}.png": ("ok", "") for number in range(4)},
        "empty.png": ("error", "empty"),
        "notes.txt": ("error", "unidentified"),
        "truncated.png": ("error", "truncated"),
        "dangling.png": ("error", "io"),
        "paper.pdf": ("rejected", "format"),
    }
    assert "PDF" in found["paper.pdf"].detail
    assert len(found["truncated.png"].sha256) == 64
    assert found["chart0.png"].image is not None
    assert found["chart0.png"].image.pixels.shape == (240, 320, 3)


def test_names_that_are_not_utf8_are_read(archive: Path) -> None:
    """Fault 21: such a file is judged like any other."""
    (archive / "chart0.png").rename(os.fsdecode(os.fsencode(archive) + b"/caf\xe9.png"))
    assert verdicts(read(open_source(archive)))["caf\\xe9.png"] == ("ok", "")


def test_members_of_tar_and_zip_files_are_read_in_place(archive: Path) -> None:
    with zipfile.ZipFile(archive / "day.zip", "w") as packed:
        packed.write(archive / "chart0.png", "a/0.png")
        packed.writestr("notes.txt", "no image")
    for kind in ("tar", "tar.gz"):
        with tarfile.open(archive / f"night.{kind}", f"w:{kind.partition('.')[2]}") as packed:
            packed.add(archive / "chart1.png", "1.png")
            packed.add(archive / "chart2.png", "2.png")
    found = read(open_source(archive))
    assert verdicts(found)["day.zip/notes.txt"] == ("error", "unidentified")
    for member, original in [("day.zip/a/0.png", 0), ("night.tar/1.png", 1), ("night.tar.gz/2.png", 2)]:
        assert found[member].sha256 == found[f"chart{original}.png"].sha256
        assert found[member].status == "ok"


def test_a_container_that_changes_after_listing_is_not_read(archive: Path) -> None:
    with zipfile.ZipFile(archive / "day.zip", "w") as packed:
        packed.write(archive / "chart0.png", "0.png")
    rows = listed(open_source(archive))
    with zipfile.ZipFile(archive / "day.zip", "a") as packed:
        packed.write(archive / "chart1.png", "1.png")
    os.utime(archive / "day.zip", ns=(1, 1))
    assert verdicts(read(open_source(archive), rows))["day.zip/0.png"] == ("error", "changed")


def test_file_that_changes_or_vanishes_after_listing_is_marked(archive: Path) -> None:
    rows = listed(open_source(archive))
    paint(archive / "chart0.png", RED, 77)
    (archive / "chart1.png").unlink()
    found = verdicts(read(open_source(archive), rows))
    assert found["chart0.png"] == found["chart1.png"] == ("error", "changed")
    assert found["chart2.png"] == ("ok", "")


def test_a_link_swapped_in_after_the_listing_is_not_followed(archive: Path, tmp_path: Path) -> None:
    """Also when a folder above the file becomes the link, and size and time are those that were listed."""
    paint(archive / "sub" / "deep.png", BLUE, 8)
    rows = listed(open_source(archive))
    for name in ("chart0.png", "sub"):
        (archive / name).rename(tmp_path / name)
        (archive / name).symlink_to(tmp_path / name)
    found = verdicts(read(open_source(archive), rows))
    assert found["chart0.png"] == found["sub/deep.png"] == ("rejected", "path")


def test_unreadable_file_is_an_io_error(archive: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (archive / "chart0.png").chmod(0)
    assert verdicts(read(open_source(archive)))["chart0.png"] == ("error", "io")


@pytest.mark.slow
def test_images_that_crash_or_hang_the_decoder_cost_one_row_each(archive: Path) -> None:
    (archive / "c.png").write_bytes(b"crash")
    (archive / "h.png").write_bytes(b"hang")
    limits = Limits(3.0, 1536, "tests.archive.fakes:dangerous_decode")
    found = verdicts(read(open_source(archive), limits=limits))
    assert (found.pop("c.png"), found.pop("h.png")) == (("error", "crashed"), ("error", "timeout"))
    assert set(found.values()) == {("ok", "")}


@pytest.mark.parametrize("way", ["forgets", "fails"])
def test_a_decoder_that_was_taken_over_costs_no_other_image(archive: Path, way: str) -> None:
    """It gives pixels of its own choice, and answers for its process from then on, with nonsense or with failures."""
    (archive / "a.png").write_bytes(way.encode())
    limits = Limits(20.0, 1536, "tests.archive.fakes:taken_over_decode")
    source = open_source(archive)
    with Reader(source, limits, SIZE) as reader:
        found = [result for row in listed(source) for result in reader.read_rows([row])]
    assert [(one.status, one.reason) for one in found] == [("ok", "")] * 5


def unmounted(folder: Path, aside: Path) -> None:
    """What a user sees when a share goes: the empty folder that it was mounted on."""
    folder.rename(aside)
    folder.mkdir()


@pytest.mark.parametrize(
    "outage",
    [
        lambda folder, aside: folder.rename(aside),
        unmounted,
        lambda folder, aside: [path.unlink() for path in folder.iterdir()],
    ],
    ids=["gone", "unmounted", "emptied"],
)
def test_an_outage_is_held_against_no_file(archive: Path, tmp_path: Path, outage: Callable[[Path, Path], None]) -> None:
    source = open_source(archive)
    rows = listed(source)
    outage(archive, tmp_path / "aside")
    with pytest.raises(MachineFault, match="nothing was held against its files"):
        read(source, rows)


def test_a_share_below_the_archive_that_goes_is_held_against_no_file(archive: Path, tmp_path: Path) -> None:
    for number in range(4):
        paint(archive / "share" / f"{number}.png", BLUE, 10 + number)
    source = open_source(archive)
    rows = listed(source)
    with Reader(source, LIMITS, SIZE) as reader:
        assert reader.read_rows(rows[-2:])[0].status == "ok"
        unmounted(archive / "share", tmp_path / "aside")
        with pytest.raises(MachineFault, match="unmounted"):
            reader.read_rows(rows[4:6])


def test_what_an_outage_spoiled_is_read_again_when_it_is_over(archive: Path, tmp_path: Path, monkeypatch: Any) -> None:
    source = open_source(archive)
    rows = listed(source)
    archive.rename(tmp_path / "aside")

    def mended(*arguments: Any) -> None:
        if not archive.exists():
            (tmp_path / "aside").rename(archive)

    monkeypatch.setattr(health.Health, "require", mended)
    assert set(verdicts(read(source, rows)).values()) == {("ok", "")}


def test_no_process_to_be_had_is_no_verdict(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fork(*arguments: Any, **options: Any) -> None:
        raise OSError(12, "Cannot allocate memory")

    source = open_source(archive)
    rows = listed(source)
    monkeypatch.setattr(guarded_process.subprocess, "Popen", fork)
    monkeypatch.setattr(guarded_process.time, "sleep", lambda seconds: None)
    with pytest.raises(MachineFault, match="Cannot allocate memory"):
        read(source, rows)


def test_a_missing_or_full_temporary_folder_does_not_matter(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/nowhere")
    assert set(verdicts(read(open_source(archive))).values()) == {("ok", "")}


def test_healthy_asks_for_the_same_folder_that_still_holds_something(archive: Path) -> None:
    good = {"device": 1, "inode": 2, "filled": True}
    answers = [good, good, {**good, "inode": 3}]  # of the root, of a folder, of the root
    seen = health.Health(open_source(archive), lambda path: answers.pop(0))
    seen.require("folder/x", "x")
    with pytest.raises(MachineFault, match="another folder"):
        seen.require("folder/x", "x")
    with pytest.raises(MachineFault, match="is empty now"):
        health.Health(open_source(archive), lambda path: {**good, "filled": False}).require("x", "x")

    def out_of_reach(path: str) -> dict[str, Any]:
        raise DecodeFailure("error", "timeout", "not loaded within 20 s")

    with pytest.raises(MachineFault, match="out of reach"):
        health.Health(open_source(archive), out_of_reach).require("x", "x")


def test_one_of_two_shares_that_goes_is_held_against_no_file(archive: Path, tmp_path: Path) -> None:
    """The other one's files are read well in between; also when the files are listed by absolute paths."""
    for name in ("one", "two"):
        for number in range(3):
            paint(tmp_path / "shares" / name / f"{number}.png", BLUE, number)
    paths = sorted(str(path) for path in (tmp_path / "shares").rglob("*.png"))
    (tmp_path / "list.txt").write_text("\n".join(paths))
    for place in (tmp_path / "shares", tmp_path / "list.txt"):
        source = open_source(place)
        rows = listed(source)
        with Reader(source, LIMITS, SIZE) as reader:
            assert {result.status for result in reader.read_rows([rows[0], rows[3]])} == {"ok"}
            unmounted(tmp_path / "shares" / "one", tmp_path / "aside")
            with pytest.raises(MachineFault, match="unmounted"):
                reader.read_rows([rows[4], rows[1], rows[5]])
        (tmp_path / "shares" / "one").rmdir()
        (tmp_path / "aside").rename(tmp_path / "shares" / "one")


def test_odd_names_and_times_come_through_with_their_failure(archive: Path) -> None:
    """A name that is not UTF-8 stands in the failure's words; a time beyond 64 bits in the listing."""
    odd = os.fsdecode(os.fsencode(archive) + b"/caf\xe9.tif")
    with open(odd, "wb") as file:
        file.truncate(300 * 2**20)
    os.utime(archive / "chart0.png", (15032385535, 15032385535))
    found = read(open_source(archive))
    assert verdicts(found)["caf\\xe9.tif"] == ("rejected", "too_large")
    assert found["caf\\xe9.tif"].detail.encode()
    assert str(archive) not in found["caf\\xe9.tif"].detail
    assert found["chart0.png"].status == "ok"


def test_the_child_of_a_reader_reads_its_archive_and_nothing_else(archive: Path, tmp_path: Path) -> None:
    if not landlock_here():
        pytest.skip("no Landlock on this system")
    (tmp_path / "secret.png").write_bytes((archive / "chart0.png").read_bytes())
    with Reader(open_source(archive), LIMITS, SIZE) as reader:
        reader.read_rows(listed(open_source(archive)))
        status = (tmp_path / "secret.png").stat()
        listed_as = {"size": status.st_size, "modified_ns": status.st_mtime_ns, "inside": ""}
        with pytest.raises(DecodeFailure, match="Permission denied"):
            reader._child.call(HOLD_FILE, 20.0, key="x", path=str(tmp_path / "secret.png"), **listed_as)


def test_one_of_several_files_with_the_same_bytes_is_decoded(archive: Path) -> None:
    for name in ("a.png", "b.png"):
        (archive / name).write_bytes((archive / "chart0.png").read_bytes())
    source, claims = open_source(archive), ClaimTable()
    rows = listed(source)
    with Reader(source, LIMITS, SIZE, claims) as reader:
        first = [result.status for result in reader.read_rows(rows)]
        again = [result.status for result in reader.read_rows(rows)]
    assert first == ["ok", TWIN, TWIN, "ok", "ok", "ok"]
    assert again == first, "a task that is repeated owns what it owned"
    claims.release([read(source)["a.png"].sha256])
    with Reader(source, LIMITS, SIZE, claims) as reader:
        assert [result.status for result in reader.read_rows(rows[1:])] == ["ok", TWIN, "ok", "ok", "ok"]


def test_a_file_as_it_is(archive: Path) -> None:
    source = open_source(archive)
    row = listed(source)[0]
    with Reader(source, LIMITS, SIZE) as reader:
        assert reader.bytes(row) == (archive / "chart0.png").read_bytes()
