"""The engine as it is, in its child: what it reads of drawn pages, and what it may do."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from rapidfuzz import fuzz

from meteo_ray.imaging.fonts import hei_font
from meteo_ray.imaging.load import load_image
from meteo_ray.text.config import TextSettings
from meteo_ray.text.reader import TextReader

TITLE = "500hPa高度场 Geopotential Height"
CAPTION = "Valid: 2024-07-15 08:00 UTC"
LABEL = "Relative humidity"


@pytest.fixture(scope="module")
def page_reader() -> Iterator[TextReader]:
    with TextReader(TextSettings(mode="page")) as reader:
        yield reader


@pytest.fixture(scope="module")
def title_reader() -> Iterator[TextReader]:
    with TextReader(TextSettings(mode="title")) as reader:
        yield reader


def page(width: int = 640, height: int = 480) -> Image.Image:
    """A chart's page: title at the top, caption at the bottom, a name in the middle, a label that runs upwards."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.text((60, 12), TITLE, "black", hei_font(24))
    draw.text((60, height - 30), CAPTION, "black", hei_font(18))
    draw.rectangle((60, 60, width - 20, height - 50), outline="black")
    draw.text((300, height // 2), "北京", (200, 0, 0), hei_font(20))
    label = Image.new("RGB", (200, 26), "white")
    ImageDraw.Draw(label).text((2, 0), LABEL, "black", hei_font(18))
    image.paste(label.rotate(90, expand=True), (20, 140))
    return image


def is_read(expected: str, texts: list[str]) -> bool:
    """Whether a text was read, give or take a character and spaces."""
    return any(fuzz.ratio(expected.replace(" ", ""), text.replace(" ", "")) >= 90 for text in texts)


def test_the_whole_page_is_read(page_reader):
    lines = page_reader.read(np.asarray(page())).lines
    texts = [line.text for line in lines]
    assert all(is_read(expected, texts) for expected in (TITLE, CAPTION, "北京", LABEL))
    (title,) = [line for line in lines if is_read(TITLE, [line.text])]
    assert 0.07 < title.left < 0.12
    assert 0.01 < title.top < 0.05
    assert 0.07 < title.bottom < 0.12
    (label,) = [line for line in lines if is_read(LABEL, [line.text])]
    assert label.is_rotated
    assert not title.is_rotated


def test_a_label_that_runs_downwards_is_read_too(page_reader):
    texts = [line.text for line in page_reader.read(np.rot90(np.asarray(page()), 2)).lines]
    assert is_read(LABEL, texts)


def test_the_title_is_read_without_the_page(title_reader):
    texts = [line.text for line in title_reader.read(np.asarray(page())).lines]
    assert is_read(TITLE, texts)
    assert is_read(CAPTION, texts)
    assert not is_read("北京", texts)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2000), (2000, 1), (3, 5), (20, 3000), (7, 20000)])
def test_images_of_any_shape_are_borne(page_reader, title_reader, shape):
    for reader in (page_reader, title_reader):
        child = reader.number
        assert reader.read(np.full((*shape, 3), 255, dtype=np.uint8)).failure is None
        assert reader.number == child


def test_nothing_written_is_no_lines(page_reader):
    reading = page_reader.read(np.full((300, 400, 3), 128, dtype=np.uint8))
    assert (reading.lines, reading.failure) == ((), None)


def test_a_huge_page_is_reduced_and_read(title_reader):
    huge = np.asarray(page().resize((6400, 4800)))
    reading = title_reader.read(huge)
    assert is_read(TITLE, [line.text for line in reading.lines])


def test_noise_stays_within_time_and_memory(page_reader):
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    assert page_reader.read(noise).failure is None


@pytest.mark.slow
def test_real_charts_are_read_as_to_their_titles(title_reader, real_charts: Path):
    paths = sorted((real_charts / "images").iterdir())[::60]
    readings = [title_reader.read(load_image(path, (640, 480)).pixels) for path in paths]
    assert all(reading.failure is None for reading in readings)
    assert sum(bool(reading.lines) for reading in readings) >= len(readings) / 3
