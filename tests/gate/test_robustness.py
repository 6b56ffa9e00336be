"""What each degradation does to an image, and which images are degraded."""

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from meteo_ray.gate.config import Robustness
from meteo_ray.gate.robustness import (
    CROP,
    JPEG,
    LOGO,
    NONE,
    SCALE,
    Degradation,
    PrepareDegraded,
    balanced_sample,
    degradations,
)
from meteo_ray.imaging.load import load_image

FINE = np.indices((240, 320)).sum(axis=0) % 2 * 255  # a chequerboard of single pixels: nothing survives reduction


@pytest.fixture
def data(tmp_path):
    pixels = np.repeat(FINE.astype(np.uint8)[:, :, None], 3, axis=2)
    pixels[60:180, 80:240] = (200, 30, 30)
    Image.fromarray(pixels).save(tmp_path / "chart.png")
    (tmp_path / "logos").mkdir()
    Image.new("RGBA", (64, 64), (0, 0, 255, 255)).save(tmp_path / "logos" / "logo.png")
    return tmp_path


def degraded(data, *tried: Degradation, path: str = "chart.png", seed: int = 0) -> dict:
    batch = {
        "path": np.array([path] * len(tried), dtype=object),
        "image_id": np.array(["00ff"] * len(tried), dtype=object),
        "degradation": np.arange(len(tried)),
    }
    return PrepareDegraded(data, tried, seed)(batch)


def blue_pixels(image: np.ndarray) -> int:
    """Pixels with a blue tint, however translucent the logo."""
    return int((image[..., 2].astype(int) - image[..., 0] > 80).sum())


def test_the_unharmed_image_is_what_the_archive_would_see(data):
    found = degraded(data, Degradation(NONE))
    assert found["ok"].all()
    assert np.array_equal(found["image"][0], load_image(data / "chart.png").pixels)


def test_each_degradation_does_what_its_name_says(data):
    tried = [
        Degradation(NONE),
        Degradation(SCALE, 0.25),
        Degradation(JPEG, 10),
        Degradation(CROP, 0.5),
        Degradation(LOGO),
    ]
    none, scaled, compressed, cropped, stamped = degraded(data, *tried)["image"].astype(int)
    steps = [(np.abs(np.diff(image[..., 0], axis=1)) > 200).mean() for image in (none, scaled)]
    assert steps[0] > 0.5
    assert steps[1] < 0.01  # the pattern is gone
    assert np.abs(compressed - none).mean() > 3
    red = [((image[..., 0] > 150) & (image[..., 1] < 90)).mean() for image in (none, cropped)]
    assert red[1] > 1.3 * red[0]  # half of the area: the red patch in the middle fills more of it
    assert blue_pixels(stamped) > 200 > blue_pixels(none)


def test_degradations_are_seeded(data):
    first, again = (degraded(data, Degradation(CROP, 0.5))["image"] for _ in range(2))
    assert np.array_equal(first, again)


def test_a_file_that_cannot_be_read_is_a_row_that_is_not_ok(data):
    (data / "broken.png").write_bytes(b"no image")
    found = degraded(data, Degradation(NONE), path="broken.png")
    assert not found["ok"].any()
    assert found["image"].shape == (1, 240, 320, 3)


def test_the_list_starts_with_the_unharmed_image_and_skips_logos_that_are_not_there():
    names = [str(entry) for entry in degradations(Robustness(), has_logos=False)]
    assert names[:3] == ["none", "scale 0.5", "scale 0.25"]
    assert "jpeg 10" in names
    assert "crop 0.5" in names
    assert "logo" not in names
    assert str(degradations(Robustness(), has_logos=True)[-1]) == "logo"


@pytest.mark.parametrize(
    ("charts", "others", "expected"), [(50, 50, (10, 10)), (3, 50, (3, 17)), (50, 3, (17, 3)), (4, 5, (4, 5))]
)
def test_the_sample_is_as_balanced_as_the_rows_allow(charts, others, expected):
    rows = pa.table({"is_meteo": [True] * charts + [False] * others, "row": range(charts + others)})
    sample = balanced_sample(rows, 20, seed=0)
    positives = sum(sample["is_meteo"].to_pylist())
    assert (positives, sample.num_rows - positives) == expected
    assert len(set(sample["row"].to_pylist())) == sample.num_rows
    assert sample.equals(balanced_sample(rows, 20, seed=0))
