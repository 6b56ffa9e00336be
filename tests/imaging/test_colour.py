"""A chart looks the same however it was stored."""

import numpy as np
import pytest
from PIL import Image

from meteo_ray.imaging.colour import to_rgb
from meteo_ray.imaging.decode import decode
from tests.imaging.files import chart, difference, encoded

GREY = np.arange(0, 256, dtype=np.uint8)[None, :].repeat(64, axis=0)


def test_sixteen_bit_grey_equals_its_eight_bit_twin():
    deep = Image.fromarray(GREY.astype(np.uint16) * 257)
    assert deep.mode == "I;16"
    for codec in ("PNG", "TIFF"):
        assert difference(decode(encoded(deep, codec)).image, Image.fromarray(GREY).convert("RGB")) == 0


@pytest.mark.parametrize(
    "values",
    [GREY.astype(np.float32), GREY.astype(np.float32) / 255, GREY.astype(np.int32), GREY.astype(np.int32) * 257],
    ids=["0-255", "0-1", "integers 0-255", "integers 0-65535"],
)
def test_32_bit_grey_in_a_usual_range_equals_its_eight_bit_twin(values):
    assert difference(decode(encoded(Image.fromarray(values), "TIFF")).image, np.stack([GREY] * 3, axis=2)) == 0


@pytest.mark.parametrize("ends", [(-40.0, 55.0), (95_000.0, 105_000.0), (-3e38, 3e38)])
def test_floats_in_any_other_range_are_stretched(ends):
    values = np.linspace(*ends, 256, dtype=np.float32)[None, :].repeat(64, axis=0)
    pixels = np.asarray(to_rgb(Image.fromarray(values)))[0, :, 0]
    assert (pixels[0], pixels[-1]) == (0, 255)
    assert (np.diff(pixels.astype(int)) >= 0).all()


def test_values_that_are_no_numbers_are_black_and_do_not_disturb_the_others():
    values = GREY.astype(np.float32)
    values[0, :3] = (np.nan, np.inf, -np.inf)
    pixels = np.asarray(to_rgb(Image.fromarray(values)))
    assert pixels[0, :3, 0].tolist() == [0, 255, 0]
    assert (pixels[1:, :, 0] == GREY[1:]).all()
    assert (np.asarray(to_rgb(Image.fromarray(np.full((16, 16), np.nan, np.float32)))) == 0).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_lies_over_white(mode):
    image = chart().convert(mode)
    clear = Image.new("L", image.size, 255)
    clear.paste(0, (0, 0, 200, 20))
    clear.paste(128, (0, 130, 200, 150))
    painted = Image.new(mode, image.size)  # black below the transparent part, as most exporters leave it
    painted.paste(image, (0, 0), clear.point(lambda alpha: 255 if alpha == 255 else 0))
    painted.putalpha(clear)
    pixels = np.asarray(decode(encoded(painted, "PNG")).image)
    assert (pixels[:20] == 255).all()
    assert np.abs(pixels[130:].astype(int) - 127).max() <= 1
    assert difference(pixels[20:130], np.asarray(image.convert("RGB"))[20:130]) == 0


def test_transparent_palettes_and_key_colours_lie_over_white():
    page = chart(paper="black")
    black = page.quantize(16, dither=Image.Dither.NONE)
    index = black.getpixel((0, 0))
    for data in (
        encoded(black, "PNG", transparency=index),
        encoded(black, "GIF", transparency=index),
        encoded(page, "PNG", transparency=(0, 0, 0)),
        encoded(page.convert("L"), "PNG", transparency=0),
    ):
        assert np.asarray(decode(data).image)[:18].min() == 255


def test_palette_grey_and_bilevel_equal_their_rgb_twin():
    rgb = chart()
    palette, grey, bilevel = rgb.quantize(16, dither=Image.Dither.NONE), rgb.convert("L"), rgb.convert("1")
    for image in (palette, grey, bilevel):
        assert difference(decode(encoded(image, "PNG")).image, image.convert("RGB")) == 0
    assert difference(palette.convert("RGB"), rgb) < 1


def test_cmyk_equals_its_rgb_twin():
    cmyk = chart().convert("CMYK")
    assert difference(decode(encoded(cmyk, "TIFF")).image, chart()) < 1
    assert difference(decode(encoded(cmyk, "JPEG", quality=95)).image, chart()) < 5
