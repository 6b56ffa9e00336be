"""Folders of a benchmark: other bytes, the same pixels; duplicates where they are asked for."""

import io

import numpy as np
import pytest
from PIL import Image

from benchmarks.speed.images import FORMATS, Store, commented, encoded
from meteo_ray.imaging.load import load_image


@pytest.fixture
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_comment_changes_the_file_and_not_the_image(picture, kind):
    data = encoded(picture, kind, (80, 60))
    other = commented(data, "file 7")
    assert other != data
    with Image.open(io.BytesIO(data)) as plain, Image.open(io.BytesIO(other)) as changed:
        changed.load()
        assert np.array_equal(np.asarray(plain), np.asarray(changed))


def test_folders_hold_as_many_different_files_as_asked(picture, tmp_path):
    store = Store(tmp_path)
    store.add("mixed", [encoded(picture, kind, (80, 60)) for kind in FORMATS])
    files = sorted(store.folder("mixed", 20).iterdir())
    assert len({load_image(path).sha256 for path in files}) == len(files) == 20
    twins = list(store.folder("mixed", 20, duplicates=0.9).iterdir())
    assert len(twins) == 20
    assert len({load_image(path).sha256 for path in twins}) == 2


def test_other_files_are_refused():
    with pytest.raises(ValueError, match="neither"):
        commented(b"GIF89a", "x")
