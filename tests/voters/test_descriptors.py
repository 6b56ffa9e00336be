"""Hand-made descriptors: their definitions, and that they see what they are named after."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import sobel

from meteo_ray.voters.descriptors import (
    CELLS,
    FEATURES,
    HSV_BINS,
    ORIENTATIONS,
    PATTERNS,
    binary_patterns,
    colour_histogram,
    describe,
    edge_histogram,
    gradients,
    orientations,
    oriented_gradients,
    shrunk,
)


def stripes(axis: int) -> np.ndarray:
    """Stripes of eight pixels along an axis, uint8 (240, 320, 3)."""
    lines = np.indices((240, 320))[axis] // 8 % 2 * 255
    return np.repeat(lines.astype(np.uint8)[:, :, None], 3, axis=2)


def cells_of(image: np.ndarray) -> np.ndarray:
    start = int(np.prod(HSV_BINS)) + 8
    return describe(image)[start : start + CELLS[0] * CELLS[1] * ORIENTATIONS].reshape(-1, ORIENTATIONS)


@given(st.integers(3, 40), st.integers(3, 40), st.integers(0, 2**31))
@settings(deadline=None, max_examples=25)
def test_every_image_has_the_same_number_of_finite_features(height, width, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    found = describe(image)
    assert found.shape == (FEATURES,)
    assert np.isfinite(found).all()
    assert colour_histogram(image).sum() == pytest.approx(1, abs=1e-5)


def test_there_are_58_uniform_patterns_and_one_for_the_rest():
    assert PATTERNS == 59


def test_binary_patterns_against_a_loop_over_pixels():
    grey = np.random.default_rng(0).integers(0, 256, (12, 14), dtype=np.uint8)
    circle = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    flat_or_rest = [0, 0]  # all neighbours at least as bright; more than two changes around the circle
    for row in range(1, 11):
        for column in range(1, 13):
            bits = [grey[row + down, column + right] >= grey[row, column] for down, right in circle]
            changes = sum(bits[i] != bits[i - 1] for i in range(8))
            flat_or_rest[0] += all(bits)
            flat_or_rest[1] += changes > 2
    found = binary_patterns(grey)
    assert found[-2] == pytest.approx(flat_or_rest[0] / 120)  # code 255 is the last uniform one
    assert found[-1] == pytest.approx(flat_or_rest[1] / 120)


@given(st.integers(3, 30), st.integers(3, 40), st.integers(0, 2**31))
@settings(deadline=None, max_examples=25)
def test_gradients_in_whole_numbers_equal_those_of_scipy(height, width, seed):
    grey = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    horizontal, vertical = gradients(grey)
    np.testing.assert_array_equal(horizontal, sobel(grey.astype(np.float64), axis=1))
    np.testing.assert_array_equal(vertical, sobel(grey.astype(np.float64), axis=0))


def test_oriented_gradients_and_edges_against_their_definition():
    """In float64, over every direction that whole gradients near zero can have, and straight ones."""
    steps = np.arange(-120, 120, dtype=np.float64)
    horizontal, vertical = np.meshgrid(steps, steps)
    magnitude = np.hypot(horizontal, vertical)
    bins = np.floor(np.mod(np.arctan2(vertical, horizontal), np.pi) / np.pi * ORIENTATIONS).astype(int)
    found = orientations(horizontal.astype(np.float32), vertical.astype(np.float32))
    np.testing.assert_array_equal(found[magnitude > 0], bins[magnitude > 0])

    cells = np.zeros((*CELLS, ORIENTATIONS))
    for line, column in np.ndindex(magnitude.shape):
        place = line * CELLS[0] // len(steps), column * CELLS[1] // len(steps), bins[line, column]
        cells[place] += magnitude[line, column]
    wanted = cells / np.linalg.norm(cells, axis=-1, keepdims=True)
    np.testing.assert_allclose(oriented_gradients(magnitude.astype(np.float32), found), wanted.ravel(), rtol=1e-5)

    shares = np.histogram(np.sqrt(magnitude / 1020) * 8, bins=np.arange(9))[0] / magnitude.size
    np.testing.assert_allclose(edge_histogram(magnitude.astype(np.float32)), shares, atol=1e-6)


def test_patterns_of_coarse_stripes_show_at_quarter_size():
    """Stripes of eight pixels are flat to a pixel's neighbours, but two pixels wide at a quarter of the size."""
    last = describe(stripes(1))[-3 * PATTERNS :].reshape(3, PATTERNS) ** 2
    alone = [binary_patterns(shrunk(Image.fromarray(stripes(1)).convert("L"), scale)) for scale in (1, 2, 4)]
    np.testing.assert_allclose(last, alone, atol=1e-6)
    flat = last[:, -2]
    assert flat[0] > flat[1] > flat[2]


def test_gradients_tell_upright_from_level_stripes():
    upright, level = cells_of(stripes(1)).mean(axis=0), cells_of(stripes(0)).mean(axis=0)
    assert upright.argmax() == 0
    assert level.argmax() == ORIENTATIONS // 2
    assert cells_of(np.full((240, 320, 3), 90, np.uint8)).max() == 0


def test_colour_histogram_finds_the_colour():
    red = np.zeros((10, 10, 3), dtype=np.uint8)
    red[..., 0] = 255
    found = colour_histogram(red).reshape(HSV_BINS)
    assert found[0, HSV_BINS[1] - 1, HSV_BINS[2] - 1] == 1.0
