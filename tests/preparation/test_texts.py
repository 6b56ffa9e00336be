"""jobs/read_text.py: what is written on prepared images, read once, and lines that labels.jsonl knows already."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw

from jobs.read_text import main
from meteo_ray.errors import MachineFault
from meteo_ray.imaging.fonts import hei_font
from meteo_ray.preparation import texts
from meteo_ray.preparation.config import PrepareData
from meteo_ray.preparation.prepare import build_index
from meteo_ray.streaming.index import read_index
from meteo_ray.text.modes import MODES
from meteo_ray.text.reader import Reading, TextReader
from meteo_ray.text.table import texts_path, with_texts, write_texts
from tests.preparation.folder import data_folder, write_labels


@pytest.fixture
def data(tmp_path: Path, ray_session: None) -> Path:
    """Four prepared images: a page that has a title, one whose lines are given, one without a word, one now broken."""
    folder = tmp_path / "data"
    data_folder(folder, 4)
    rows = [json.loads(line) for line in (folder / "labels.jsonl").read_text("utf-8").splitlines()]
    page = Image.new("RGB", (640, 480), "white")
    ImageDraw.Draw(page).text((90, 12), "Total precipitation 850 hPa", fill="black", font=hei_font(30))
    page.save(folder / rows[0]["path"])
    rows[1]["text_lines"] = [{"text": "Wind speed at 10 m", "left": 0.2, "top": 0.02, "right": 0.8, "bottom": 0.08}]
    write_labels(folder, rows)
    build_index(PrepareData(data=folder))
    (folder / rows[3]["path"]).write_bytes(b"no image any more")
    return folder


def test_text_is_read_once_and_given_lines_are_taken(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(data), "--workers", "1"]) == 0
    assert "3 images: 1 from labels.jsonl, 0 read before, 2 read now, 1 failed" in capsys.readouterr().out
    rows = with_texts(read_index(data), data).to_pylist()
    found = {row["path"]: (row["title"], row["text"]) for row in rows}
    (read, given, empty, broken) = (found[path] for path in sorted(found))
    assert "precipitation" in read[0]
    assert given == ("Wind speed at 10 m", "Wind speed at 10 m")
    assert empty == ("", "")
    assert broken == (None, None)
    table = pq.read_table(data / "index" / "texts.parquet")
    assert "850 hPa" in table["level"].to_pylist()

    assert main(["--data", str(data), "--workers", "1"]) == 0
    assert "1 from labels.jsonl, 2 read before, 0 read now, 1 failed" in capsys.readouterr().out


@pytest.mark.parametrize(("mode", "wanted"), [("page", ["Wind speed", "a city"]), ("title", ["Wind speed"])])
def test_lines_are_given_as_the_mode_reads_them(tmp_path: Path, mode: str, wanted: list[str]) -> None:
    title = {"text": "Wind speed", "left": 0.2, "top": 0.02, "right": 0.8, "bottom": 0.08}
    lines = [title, {"text": "a city", "left": 0.2, "top": 0.5, "right": 0.8, "bottom": 0.55}]
    row = {"path": "images/a.png", "is_meteo": 1, "text_lines": lines}
    (tmp_path / "labels.jsonl").write_text(json.dumps(row), "utf-8")
    index = pa.table({"path": ["images/a.png"], "sha256": ["0"], "width": [640], "height": [480]})
    assert [line.text for line in texts._given(tmp_path, index, MODES[mode])["0"]] == wanted


def test_a_fault_of_the_machine_is_one_line_and_loses_nothing(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reader(TextReader):
        def read(self, pixels: np.ndarray) -> Reading:
            if pixels.shape == (480, 640, 3):
                return Reading()
            raise MachineFault("no process to be had")

    with monkeypatch.context() as patched:
        patched.setattr(texts, "_reader", Reader)
        patched.setattr(texts, "stream", lambda rows, prepare, *_, **__: [prepare(columns_of(rows))])
        assert main(["--data", str(data), "--workers", "1"]) == 1
    assert "error: no process to be had; run the job again" in capsys.readouterr().err
    assert main(["--data", str(data), "--workers", "1"]) == 0
    assert "1 read before, 1 read now, 1 failed" in capsys.readouterr().out


def test_an_image_that_is_another_now_has_no_text(
    data: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    first = sorted((data / "images").iterdir())[0]
    Image.new("RGB", (640, 480), "white").save(first)
    with caplog.at_level(logging.WARNING):
        assert main(["--data", str(data), "--workers", "1"]) == 0
    assert "1 from labels.jsonl, 0 read before, 1 read now, 2 failed" in capsys.readouterr().out
    assert f"{first.name}: goes without its text" in caplog.text
    assert "not the bytes that were indexed" in caplog.text


def test_preparing_again_keeps_what_was_read_and_given_lines_are_read_as_the_index_reads_them(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(data)
    data_folder(data, 4)
    rows = [json.loads(line) for line in (data / "labels.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        row["text_lines"] = [{"text": row["path"], "left": 0.2, "top": 0.02, "right": 0.8, "bottom": 0.08}]
    again = {**rows[0], "text_lines": [{**rows[0]["text_lines"][0], "text": "the second row of an image"}]}
    build_index(PrepareData(data=data))
    write_labels(data, [{**rows[0], "path": "./" + rows[0]["path"]}, *rows[1:], again])
    assert main(["--data", str(data), "--workers", "1"]) == 0
    assert "4 from labels.jsonl" in capsys.readouterr().out
    before = texts_path(data).read_bytes()
    assert rows[0]["path"] in with_texts(read_index(data), data)["text"].to_pylist()
    build_index(PrepareData(data=data))
    assert texts_path(data).read_bytes() == before

    write_labels(data, [*rows[1:], {**rows[0], "text_lines": "no list"}])
    assert main(["--data", str(data), "--workers", "1"]) == 2
    assert "labels.jsonl:4: text_lines: expected a list of lines" in capsys.readouterr().err


def test_a_folder_whose_images_are_gone_keeps_its_texts(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_texts(texts_path(data), [])
    before = texts_path(data).read_bytes()
    rows = [json.loads(line) for line in (data / "labels.jsonl").read_text("utf-8").splitlines()]
    write_labels(data, [{name: value for name, value in row.items() if name != "text_lines"} for row in rows])
    (data / "images").rename(data / "elsewhere")
    assert main(["--data", str(data), "--workers", "1"]) == 1
    assert "none of 4 images could be read" in capsys.readouterr().err
    assert texts_path(data).read_bytes() == before


def columns_of(rows: pa.Table) -> dict[str, np.ndarray]:
    return {name: np.array(rows[name].to_pylist(), dtype=object) for name in rows.column_names}


def test_a_mistake_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(tmp_path), "--text.mode", "off"]) == 2
    assert "choose title or page" in capsys.readouterr().err
    assert main(["--data", str(tmp_path)]) == 2
    assert "jobs/prepare_data.py" in capsys.readouterr().err
