"""Sheets show every image at its place, with its caption."""

import numpy as np
import pytest
from PIL import Image

from meteo_ray.imaging.contact_sheet import contact_sheet

COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (0, 200, 200)]


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (80, 60)) -> np.ndarray:
    return np.full((size[1], size[0], 3), colour, dtype=np.uint8)


def test_images_stand_in_reading_order():
    sheet = np.asarray(contact_sheet([plain(c) for c in COLOURS], columns=2, tile_size=(80, 60)))
    centres = [np.argwhere((sheet == colour).all(axis=2)).mean(axis=0) for colour in COLOURS]
    rows = [round(row) for row, _ in centres]
    columns = [round(column) for _, column in centres]
    assert rows[0] == rows[1] < rows[2] == rows[3] < rows[4]
    assert columns[0] == columns[2] == columns[4] < columns[1] == columns[3]
    for colour in COLOURS:
        assert (sheet == colour).all(axis=2).sum() == 80 * 60


def test_large_images_shrink_to_their_tile_and_keep_their_aspect_ratio():
    image = Image.new("RGB", (400, 100), COLOURS[0])
    sheet = np.asarray(contact_sheet([image], tile_size=(80, 60)))
    area = np.argwhere((sheet == COLOURS[0]).all(axis=2))
    assert np.ptp(area[:, 1]) + 1 == 80
    assert np.ptp(area[:, 0]) + 1 == 20
    assert image.size == (400, 100)


def test_captions_add_lines_and_stay_inside_their_tile():
    images = [plain(COLOURS[0]), plain(COLOURS[1])]
    bare = contact_sheet(images, columns=2, tile_size=(80, 60))
    long = contact_sheet(images, ["24小时全国近地面2m最大风速" * 5, ""], columns=2, tile_size=(80, 60))
    assert long.width == bare.width
    assert long.height > bare.height
    below = np.asarray(long.convert("L"))[bare.height :]
    assert (below[:, : long.width // 2] < 100).any()
    assert not (below[:, long.width // 2 + 3 :] < 100).any()


def test_captions_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="2 images with 1 captions"):
        contact_sheet([plain(COLOURS[0])] * 2, ["one"])
    with pytest.raises(ValueError, match="0 images"):
        contact_sheet([])
