"""Images in folders by product: each once, nothing half-written, nothing of a user's touched."""

import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.archive.cascade.judged_rows import JUDGED
from meteo_ray.archive.ids import IdSet
from meteo_ray.archive.results import sorted_placer
from meteo_ray.archive.results.sorted_folders import sort_into_folders
from meteo_ray.archive.results.sorted_names import file_name, folder_name
from meteo_ray.archive.results.sorted_placer import Kind
from meteo_ray.archive.results.writer import PartWriter
from meteo_ray.errors import UsageError
from meteo_ray.files import SIGN, image_id

KINDS: tuple[Kind, ...] = ("links", "copies")


def row(path: str, product: str | None = None, is_meteo: bool | None = True, status: str = "ok") -> dict[str, Any]:
    judged = {"path": path, "product": product, "is_meteo": is_meteo, "status": status, "image_id": image_id(path)}
    return dict.fromkeys(JUDGED.names) | judged


ROWS = [
    row("2026/a.png", "wind_chart"),
    row("2026/b.png", "rain_chart"),
    row("2027/a.png", "wind_chart"),
    row("c.png"),
    row("cat.jpg", is_meteo=False),
    row("broken.png", is_meteo=None, status="error"),
    row("huge.png", is_meteo=None, status="rejected"),
]


class Office:
    """An archive, predictions for it and the folder that it is sorted into."""

    def __init__(self, root: Path) -> None:
        self.root, self.archive, self.sorted = root, root / "archive", root / "sorted"

    def judge(self, rows: list[dict[str, Any]]) -> None:
        """Make the files that there are not, and the predictions anew."""
        shutil.rmtree(self.root / "predictions", ignore_errors=True)
        writer = PartWriter(self.root / "predictions", rows=3, seconds=1e9, written=IdSet())
        for number, judged in enumerate(rows):
            file = self.archive / judged["path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                file.write_bytes(b"image of " + judged["path"].encode())
                os.utime(file, ns=(0, 1_600_000_000_123_456_789 + number))
            writer.add(pa.Table.from_pylist([judged], schema=JUDGED))
        writer.commit()

    def original(self, judged: dict[str, Any]) -> Path | None:
        file = self.archive / judged["path"]
        return file if file.exists() else None

    def content(self, judged: dict[str, Any]) -> bytes | None:
        file = self.original(judged)
        return file.read_bytes() if file else None

    def sort(self, kind: Kind, originals: Callable[[dict[str, Any]], Path | bytes | None] | None = None) -> int:
        return sort_into_folders(self.root / "predictions", self.sorted, originals or self.original, kind)

    def images(self) -> dict[str, bytes]:
        """What stands in the sorted folder, without our signs."""
        found = (path for path in self.sorted.rglob("*") if not path.is_dir() and path.name != SIGN)
        return {path.relative_to(self.sorted).as_posix(): path.read_bytes() for path in found}

    def expected(self, rows: list[dict[str, Any]]) -> dict[str, bytes]:
        places = {}
        for judged in rows:
            if judged["status"] == "ok":
                home = (judged["product"] or "no_product") if judged["is_meteo"] else "not_a_chart"
                name = file_name(judged["path"], judged["image_id"])
                places[f"{home}/{name}"] = (self.archive / judged["path"]).read_bytes()
        return places

    def state(self) -> dict[str, tuple[int, ...]]:
        """Times and numbers of every file and folder: they change with any write."""
        found = [self.sorted, *self.sorted.rglob("*")]
        statuses = {str(path): path.lstat() for path in found}
        return {path: (s.st_ino, s.st_mtime_ns, s.st_ctime_ns, s.st_size) for path, s in statuses.items()}


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    office.judge(ROWS)
    return office


@pytest.mark.parametrize("kind", KINDS)
def test_every_judged_image_stands_in_the_folder_of_its_product(office: Office, kind: Kind) -> None:
    assert office.sort(kind) == 5
    assert office.images() == office.expected(ROWS)
    assert sorted(path.name for path in office.sorted.iterdir()) == [
        SIGN,
        "no_product",
        "not_a_chart",
        "rain_chart",
        "wind_chart",
    ]
    assert f"wind_chart/a_{image_id('2026/a.png')[:8]}.png" in office.images()


def test_links_are_absolute(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(office.root)
    office.sort("links", lambda judged: Path("archive") / judged["path"])
    for judged in ROWS[:2]:
        link = office.sorted / judged["product"] / file_name(judged["path"], judged["image_id"])
        assert os.readlink(link) == str(office.archive / judged["path"])
        assert link.resolve() == (office.archive / judged["path"]).resolve()


def test_copies_keep_their_time_and_are_no_links(office: Office) -> None:
    office.sort("copies")
    copy = office.sorted / "rain_chart" / file_name(ROWS[1]["path"], ROWS[1]["image_id"])
    assert not copy.is_symlink()
    assert copy.stat().st_mtime_ns == (office.archive / "2026/b.png").stat().st_mtime_ns


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_are_copied_whatever_the_kind(office: Office, kind: Kind) -> None:
    assert office.sort(kind, office.content) == 5
    assert office.images() == office.expected(ROWS)
    assert not any(path.is_symlink() for path in office.sorted.rglob("*"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["original", "content"])
def test_a_second_call_writes_nothing(office: Office, kind: Kind, way: str) -> None:
    assert office.sort(kind, getattr(office, way)) == 5
    before = office.state()
    assert office.sort(kind, getattr(office, way)) == 5
    assert office.state() == before


def test_links_become_copies_and_copies_links(office: Office) -> None:
    for kind in (*KINDS, *KINDS):
        office.sort(kind)
        assert office.images() == office.expected(ROWS)
        links = [path.is_symlink() for path in office.sorted.rglob("*.png")]
        assert links == [kind == "links"] * len(links)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["original", "content"])
def test_an_image_that_is_judged_anew_moves(office: Office, kind: Kind, way: str) -> None:
    office.sort(kind, getattr(office, way))
    anew = [row("2026/a.png", "rain_chart"), row("2026/b.png", is_meteo=False), *ROWS[2:3], row("c.png", "wind_chart")]
    anew += ROWS[4:]
    office.judge(anew)
    assert office.sort(kind, getattr(office, way)) == 5
    assert office.images() == office.expected(anew)
    assert not (office.sorted / "no_product").exists()  # nothing is left in it


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_that_changes_with_its_product_moves(office: Office, kind: Kind) -> None:
    office.sort(kind)
    (office.archive / "c.png").write_bytes(b"another image")
    anew = [*ROWS[:3], row("c.png", "rain_chart"), *ROWS[4:]]
    office.judge(anew)
    office.sort("copies")
    assert office.images() == office.expected(anew)


def test_a_copy_of_what_changed_is_made_anew(office: Office) -> None:
    office.sort("copies")
    same_size = (office.archive / "c.png").read_bytes()[::-1]
    (office.archive / "c.png").write_bytes(same_size)
    (office.sorted / "rain_chart" / file_name("2026/b.png", ROWS[1]["image_id"])).write_bytes(b"cut off")
    office.sort("copies")
    assert office.images() == office.expected(ROWS)
    assert same_size in office.images().values()


def test_of_a_file_that_broke_a_link_goes_and_a_copy_stays(office: Office) -> None:
    place = f"no_product/{file_name('c.png', image_id('c.png'))}"
    for kind, stays in zip(KINDS, (False, True), strict=True):
        office.judge(ROWS)
        office.sort(kind)
        office.judge([*ROWS[:3], row("c.png", is_meteo=None, status="error"), *ROWS[4:]])
        assert office.sort(kind) == 4
        assert (place in office.images()) is stays


@pytest.mark.parametrize("kind", KINDS)
def test_vanished_originals_are_counted_and_logged_once(
    office: Office, kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("c.png", "cat.jpg"):
        (office.archive / name).unlink()
    assert office.sort(kind) == 3
    assert len(office.images()) == 3
    assert [record.getMessage() for record in caplog.records if "gone" in record.getMessage()] == [
        f"{office.sorted}: 2 images left out, because their originals are gone"
    ]


def test_an_original_that_vanishes_at_the_last_moment_is_left_out(office: Office) -> None:
    assert office.sort("copies", lambda judged: office.archive / "gone" / judged["path"]) == 0
    assert office.images() == {}


def test_a_copy_outlives_its_original(office: Office) -> None:
    office.sort("copies")
    before = office.images()
    shutil.rmtree(office.archive)  # or a share that is not mounted now
    assert office.sort("copies") == 0
    assert office.images() == before


def test_a_folder_of_the_users_is_refused(office: Office) -> None:
    office.sorted.mkdir()
    (office.sorted / "notes.txt").write_text("not yours")
    with pytest.raises(UsageError, match="sorted: holds files, but no sorted images"):
        office.sort("links")
    assert [path.name for path in office.sorted.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_users_lay_into_it_stays(office: Office, kind: Kind) -> None:
    office.sort(kind)
    name = file_name("c.png", image_id("c.png"))
    theirs = {
        "notes.txt",
        "wind_chart/notes.txt",
        "no_product/notes.txt",
        "favourites/" + name,
        "rain_chart/x_0f0f0f0f.png",
    }
    (office.sorted / "favourites").mkdir()
    for place in theirs:
        (office.sorted / place).write_text("mine")
    (office.sorted / "wind_chart" / os.fsdecode(b"\xff.png")).write_text("mine")
    office.judge([*ROWS[:3], row("c.png", "wind_chart"), *ROWS[4:]])
    office.sort(kind)
    images = office.images()
    assert {place for place, content in images.items() if content == b"mine"} >= theirs
    assert f"wind_chart/{name}" in images
    assert f"no_product/{name}" not in images
    assert len(images) == 5 + len(theirs) + 1


def test_a_folder_that_was_there_before_is_never_cleared(office: Office) -> None:
    office.sort("links")
    (office.sorted / "new_product").mkdir()
    name = file_name("c.png", image_id("c.png"))
    (office.sorted / "new_product" / name).write_text("mine")
    (office.sorted / "elsewhere").symlink_to(office.archive)
    office.sort("links")
    assert (office.sorted / "new_product" / name).read_text() == "mine"
    assert len(list(office.archive.rglob("*.*"))) == len(ROWS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_copied_or_renamed_product_folder_is_the_users(office: Office, kind: Kind) -> None:
    office.sort(kind)
    shutil.copytree(office.sorted / "wind_chart", office.sorted / "favourites", symlinks=True)
    (office.sorted / "rain_chart").rename(office.sorted / "rain, checked")
    assert office.sort(kind) == 5
    images = office.images()
    assert images.items() >= office.expected(ROWS).items()
    assert len(images) == 5 + 2 + 1


def test_equal_names_and_equal_beginnings_of_ids_stay_apart(office: Office) -> None:
    twins = [row("x/same.png", "p") | {"image_id": "0123456700000001"}]
    twins += [row("y/same.png", "p") | {"image_id": "0123456700000002"}]
    others = [row(f"{number}/same.png", "p") for number in range(20)]
    office.judge(twins + others)
    assert office.sort("copies") == 22
    assert len(office.images()) == 22
    assert {"p/same_0123456700000001.png", "p/same_0123456700000002.png"} <= set(office.images())
    before = office.state()
    office.sort("copies")
    assert office.state() == before


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stem", ["x" * 251, "风" * 83, "🌀" * 62])
def test_the_longest_names_fit(office: Office, kind: Kind, stem: str) -> None:
    office.judge([row(f"{stem}.png", stem)])
    assert office.sort(kind) == 1
    (place,) = office.images()
    assert all(len(part.encode()) <= 200 for part in place.split("/"))
    assert place.endswith(f"_{image_id(f'{stem}.png')[:8]}.png")
    before = office.state()
    office.sort(kind)
    assert office.state() == before


@pytest.mark.parametrize(
    ("path", "beginning", "end"),
    [
        ("a/.hidden", "hidden_", ""),
        ("-rf.png", "rf_", ".png"),
        ("..", "image_", ""),
        ("a/", "image_", ""),
        ("archive.zip/dir/b.PNG", "b_", ".PNG"),
        ("a\nb.png", "a\\u000ab_", ".png"),
        ("a\0b.png", "a\\u0000b_", ".png"),
        ("gpj.\u202egnp", "gpj_", ".\\u202egnp"),
        ("a.", "a_", ""),
        ("a." + "x" * 250, "a.xxx", ""),
    ],
)
def test_names_are_made_safe(path: str, beginning: str, end: str) -> None:
    name = file_name(path, "0123456789abcdef")
    assert name.startswith(beginning)
    assert name.endswith(f"_01234567{end}")
    assert len(name.encode()) <= 200


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_names_a_file_and_a_folder(text: str) -> None:
    for name in (file_name(text, "0123456789abcdef"), folder_name(text)):
        assert 0 < len(name.encode()) <= 200
        assert name[0] not in ".-"
        assert "/" not in name
        assert "\0" not in name
        assert "\n" not in name
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / name).touch()


def test_product_ids_that_are_no_folder_names_stay_apart(office: Office) -> None:
    products = [
        "850hpa/wind",
        "850hpa_wind",
        "..",
        "../../x",
        "/etc",
        "no_product",
        "not_a_chart",
        ".made_by_meteo_ray",
    ]
    products += ["", "a\nb", "-x", "x", "x ", "x" * 300, "x" * 301]
    assert len({folder_name(product) for product in products}) == len(products)
    office.judge([row(f"{number}.png", product) for number, product in enumerate(products)] + [row("none.png")])
    assert office.sort("links") == len(products) + 1
    folders = {path.name for path in office.sorted.iterdir() if path.is_dir()}
    assert folders == {folder_name(product) for product in products} | {"no_product"}
    assert {path.name for path in office.root.iterdir()} == {"archive", "predictions", "sorted"}
    assert folder_name("850hpa_wind") == "850hpa_wind"


@pytest.mark.parametrize("way", ["original", "content"])
def test_after_a_full_disk_it_goes_on(office: Office, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    replace, calls = os.replace, []

    def full_at_the_third(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == 3:
            full()
        replace(source, target)

    monkeypatch.setattr(sorted_placer.os, "replace", full_at_the_third)
    with pytest.raises(OSError, match="disk full"):
        office.sort("copies", getattr(office, way))
    assert office.images().items() <= office.expected(ROWS).items()
    assert len(office.images()) == 2
    assert office.sort("copies", getattr(office, way)) == 5
    assert office.images() == office.expected(ROWS)


def test_what_a_killed_call_left_is_removed(office: Office) -> None:
    office.sort("links")
    (office.sorted / sorted_placer.SCRATCH).write_text("half of an ima")
    office.sort("links")
    assert office.images() == office.expected(ROWS)


def test_where_there_are_no_links_copies_are_named(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with pytest.raises(UsageError, match="choose copies"):
        office.sort("links")
    assert office.sort("copies") == 5
