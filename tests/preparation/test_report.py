"""report.html: complete, self-contained, and safe against what strangers call their files (R3)."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from meteo_ray.preparation.config import PrepareData
from meteo_ray.preparation.prepare import build_index
from meteo_ray.preparation.thumbnails import evenly
from tests.preparation.folder import data_folder, picture, row, write_labels

HOSTILE = "images/<img src=x onerror=alert(1)>&\u202egnp.png"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, ray_session: None) -> str:
    """The report on twelve images, two copies of one of them and a missing one."""
    data = tmp_path_factory.mktemp("data")
    rows = data_folder(data)
    for name in (HOSTILE, "images/twin.png"):
        picture(100).save(data / name, format="PNG")
        rows.append(row(name, source="<b>office</b>", time="2024-07-01"))
    write_labels(data, [*rows, row("images/gone.png")])
    prepared = build_index(PrepareData(data=data))
    return (prepared.folder / "report.html").read_text("utf-8")


class Collector(HTMLParser):
    """Tags, the attributes that load something, and the visible words of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "onerror")]

    def handle_data(self, data: str) -> None:
        self.words += f" {data}"


def parsed(page: str) -> Collector:
    collector = Collector()
    collector.feed(page)
    return collector


def test_it_loads_nothing_from_elsewhere_and_runs_nothing(page: str) -> None:
    found = parsed(page)
    assert "script" not in found.tags
    assert found.loads
    assert all(source.startswith("data:image/jpeg;base64,") for source in found.loads)
    assert "url(" not in page
    assert not re.search(r"https?://", page)


def test_strange_names_are_shown_as_text(page: str) -> None:
    found = parsed(page)
    assert "b" not in found.tags
    assert HOSTILE in found.words
    assert "<b>office</b>" in found.words


def test_it_says_what_the_index_holds_and_lacks(page: str) -> None:
    words = " ".join(parsed(page).words.split())
    for expected in (
        "images/gone.png missing",
        "1 image was left out",
        "wind 风场",
        "24h_cn_2m_max_wind 24小时全国近地面2m最大风速",
        "2 equal images",
        "the same image 2 times",
        "200 x 150 14",
        "2024-07-01 to 2024-07-01",
    ):
        assert expected in words, expected


def test_thumbnails_show_the_images(page: str) -> None:
    first = parsed(page).loads[0].removeprefix("data:image/jpeg;base64,")
    sheet = Image.open(io.BytesIO(base64.b64decode(first)))
    assert sheet.width > 8 * 120
    assert len(sheet.convert("RGB").getcolors(maxcolors=10**6)) > 1000


def test_examples_are_spread_over_the_whole_list() -> None:
    paths = [str(number) for number in range(100)]
    assert evenly(paths, 3) == ["0", "50", "99"]
    assert evenly(paths[:2], 3) == ["0", "1"]


def test_a_report_of_one_image_without_labels_is_written(tmp_path: Path, ray_session: None) -> None:
    picture(0).save(tmp_path / "a.png")
    write_labels(tmp_path, [{"path": "a.png", "is_meteo": 0}])
    prepared = build_index(PrepareData(data=tmp_path))
    page = (prepared.folder / "report.html").read_text("utf-8")
    assert "validation: no rows at all" in parsed(page).words
