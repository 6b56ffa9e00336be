"""The preview job shows every class that has images, as they are and as augmented."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from meteo_ray.errors import UsageError
from meteo_ray.preparation.config import PreviewData
from meteo_ray.preparation.preview import write_preview
from tests.pictures import picture_index

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    index = picture_index(folder, per_split=3)
    (folder / "index").mkdir()
    pq.write_table(index, folder / "index" / "index.parquet")
    return folder


def test_one_sheet_a_class_with_pairs_of_pictures(data, tmp_path):
    sheets = write_preview(PreviewData(data=data, out=tmp_path / "out", per_class=2))
    names = {sheet.relative_to(tmp_path / "out").as_posix() for sheet in sheets}
    assert names == {
        "is_meteo/chart.png",
        "is_meteo/other.png",
        "element/wind.png",
        "product/24h_cn_2m_max_wind.png",
    }
    for sheet in sheets:
        with Image.open(sheet) as image:
            assert image.width > 4 * 320  # two pairs in one line
            assert 240 < image.height < 2 * 240
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_split_is_shown_alone_and_seeds_repeat_the_sheet(data, tmp_path):
    config = PreviewData(data=data, out=tmp_path / "a", split="test", per_class=50)
    again = PreviewData(data=data, out=tmp_path / "b", split="test", per_class=50)
    first, second = write_preview(config)[0], write_preview(again)[0]
    assert first.read_bytes() == second.read_bytes()
    with Image.open(first) as image:
        assert image.height > 2 * 240  # three charts of this split: two lines


def test_a_file_that_vanished_is_shown_as_unreadable(data, tmp_path):
    for path in (data / "images").glob("test_*.png"):
        path.unlink()
    sheets = write_preview(PreviewData(data=data, out=tmp_path / "out", split="test"))
    with Image.open(sheets[0]) as image:
        tile = np.asarray(image)[10:240, 10:320]
    assert (tile == 0).all()


def test_unusable_input_is_refused(data, tmp_path):
    with pytest.raises(UsageError, match="prepare_data"):
        write_preview(PreviewData(data=tmp_path, out=tmp_path / "out"))
    with pytest.raises(UsageError, match="--out: where the sheets go"):
        write_preview(PreviewData(data=data))


def test_a_place_that_cannot_be_written_to_is_a_usage_error(data, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"^--out .*sheets: cannot be written to: Not a directory$"):
        write_preview(PreviewData(data=data, out=tmp_path / "file" / "sheets"))


def test_the_job_says_what_it_wrote(data, tmp_path):
    arguments = ["--data", str(data), "--out", str(tmp_path / "out"), "--per-class", "1"]
    done = subprocess.run(
        [sys.executable, ROOT / "jobs" / "preview_data.py", *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, f"4 contact sheets in {tmp_path / 'out'}\n"), done.stderr
    bad = subprocess.run(
        [sys.executable, ROOT / "jobs" / "preview_data.py", "--data", str(tmp_path), "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert bad.returncode == 2
    assert "prepare_data.py" in bad.stderr
