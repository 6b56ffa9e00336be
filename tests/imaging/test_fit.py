"""Any image becomes the network's input: margins off, the map whole, undistorted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from meteo_ray.imaging.decode import decode
from meteo_ray.imaging.fit import INPUT_SIZE, content_box, fit
from tests.imaging.files import chart, encoded, noisy


def framed(size: tuple[int, int], box: tuple[int, int, int, int], paper: str = "white") -> Image.Image:
    """A red map with a black frame at `box` (inclusive) on `paper`."""
    image = Image.new("RGB", size, paper)
    ImageDraw.Draw(image).rectangle(box, fill="#c03020", outline="black", width=max(2, size[0] // 200))
    return image


def map_area(pixels: np.ndarray) -> tuple[int, int, int, int]:
    """Where the red map stands in `(height, width, 3)`: left, top, right, bottom (exclusive)."""
    red = (pixels[..., 0].astype(int) - pixels[..., 2]) > 80
    columns, rows = np.flatnonzero(red.any(axis=0)), np.flatnonzero(red.any(axis=1))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


@given(
    width=st.integers(1, 700),
    height=st.integers(1, 700),
    size=st.sampled_from([INPUT_SIZE, (224, 224), (896, 896), (64, 48), (1, 1)]),
    seed=st.integers(0, 5),
    plain=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_shape_is_always_right(width, height, size, seed, plain):
    image = Image.new("RGB", (width, height), "navy") if plain else noisy((width, height), seed)
    pixels = fit(image, size)
    assert pixels.shape == (size[1], size[0], 3)
    assert pixels.dtype == np.uint8


@pytest.mark.parametrize("paper", ["white", "black", "#d8e0f0"])
@pytest.mark.parametrize("scale", [1, 5])
def test_wide_margins_go_and_the_map_fills_the_input(paper, scale):
    image = framed((800 * scale, 800 * scale), (200 * scale, 100 * scale, 600 * scale, 400 * scale), paper)
    left, top, right, bottom = map_area(fit(image))
    assert right - left >= 0.95 * 320
    assert bottom - top >= 0.93 * 240


def test_a_very_large_sheet_is_trimmed_rather_than_just_scaled():
    sheet = framed((4000, 3000), (1500, 1125, 2500, 1875))
    left, _, right, bottom = map_area(fit(sheet))
    plainly_scaled = 320 * 1000 // 4000
    assert right - left > 3.5 * plainly_scaled
    assert left >= 0
    assert bottom <= 240


def test_margins_with_jpeg_noise_go_too():
    image = framed((900, 700), (250, 200, 650, 500))
    for quality in (30, 50, 75):
        left, _, right, _ = map_area(fit(decode(encoded(image, "JPEG", quality=quality)).image))
        assert right - left >= 0.88 * 320, quality  # the noise around the frame, 8 to 16 pixels, may stay


def test_dust_does_not_hold_a_margin():
    image = framed((900, 700), (250, 200, 650, 500))
    for x, y in ((30, 40), (860, 20), (450, 680)):
        image.putpixel((x, y), (90, 90, 90))
    left, _, right, _ = map_area(fit(image))
    assert right - left >= 0.95 * 320


def test_thin_lines_and_pale_tints_at_the_edge_are_content():
    image = Image.new("RGB", (2400, 1800), "white")
    draw = ImageDraw.Draw(image)
    draw.line((100, 100, 100, 1700), fill="black", width=1)
    draw.rectangle((2200, 100, 2320, 1700), fill="#e8e8ff")
    left, top, right, bottom = content_box(image)[0]
    assert left <= 100 <= left + 60
    assert right - 60 <= 2320 <= right
    assert top <= 100
    assert bottom >= 1700


def test_the_aspect_ratio_is_kept_and_the_rest_is_background():
    circle = Image.new("RGB", (300, 300), "#f0f0c0")
    ImageDraw.Draw(circle).ellipse((10, 10, 289, 289), fill="#c03020")
    pixels = fit(circle)
    left, top, right, bottom = map_area(pixels)
    assert abs((right - left) - (bottom - top)) <= 2
    assert (pixels[:, :30] == (0xF0, 0xF0, 0xC0)).all()
    assert (pixels[:, -30:] == (0xF0, 0xF0, 0xC0)).all()


def test_an_image_without_margins_is_kept_whole():
    photo = noisy((640, 480))
    assert content_box(photo)[0] == (0, 0, 640, 480)


def test_an_empty_page_stays_an_empty_page():
    assert (fit(Image.new("RGB", (500, 300), "#102030")) == (0x10, 0x20, 0x30)).all()


def test_a_speck_stays_a_speck():
    image = Image.new("RGB", (800, 600), "white")
    ImageDraw.Draw(image).rectangle((400, 300, 405, 305), fill="#c03020")
    left, top, right, bottom = map_area(fit(image))
    assert right - left <= 20
    assert bottom - top <= 20


def test_a_speck_in_the_corner_keeps_the_box_inside_the_image():
    image = Image.new("RGB", (800, 600), "white")
    ImageDraw.Draw(image).rectangle((790, 590, 799, 599), fill="#c03020")
    left, top, right, bottom = content_box(image)[0]
    assert right == 800
    assert bottom == 600
    assert right - left >= 200
    assert bottom - top >= 150


def test_tiny_images_are_enlarged_smoothly():
    pixels = fit(chart((16, 16), margin=2))
    assert pixels.shape == (240, 320, 3)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 16  # neighbours blend: not a mosaic of 16 x 16 squares


def test_other_modes_are_taken():
    assert fit(chart().convert("L")).shape == (240, 320, 3)
    assert (fit(chart().convert("P")) != 0).any()


def test_shrinking_averages_so_that_fine_hatching_becomes_grey_not_moire():
    hatching = np.zeros((960, 1280, 3), dtype=np.uint8)
    hatching[:, ::2] = 255
    pixels = fit(Image.fromarray(hatching))
    assert 120 <= pixels[20:-20, 20:-20].min() <= pixels[20:-20, 20:-20].max() <= 136
