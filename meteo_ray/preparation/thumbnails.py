"""Images of a data folder as small pictures inside a page: a person sees wrong labels faster than any check."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from meteo_ray.imaging.contact_sheet import contact_sheet
from meteo_ray.imaging.data_uri import jpeg_data_uri
from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.load import load_image

THUMBNAIL = (120, 90)  # width x height: 4:3 like the network's input
COLUMNS = 8  # with gaps 1014 pixels, the width of the report's page
_JPEG_QUALITY = 70


def inline_sheet(data: Path, paths: Sequence[str]) -> str:
    """A `data:` URI of a JPEG showing the images under `data` in order, eight a line; an unreadable one is grey."""
    sheet = contact_sheet([_thumbnail(data / path) for path in paths], columns=COLUMNS, tile_size=THUMBNAIL)
    return jpeg_data_uri(sheet, _JPEG_QUALITY)


def evenly(paths: Sequence[str], count: int) -> list[str]:
    """At most `count` of the paths, evenly spaced: neighbours in a label file resemble each other."""
    if len(paths) <= count:
        return list(paths)
    return [paths[position] for position in np.linspace(0, len(paths) - 1, count).round().astype(int)]


@lru_cache(maxsize=4096)
def _thumbnail(path: Path) -> Image.Image:
    """The fitted picture at thumbnail size; one image stands on several sheets, hence the cache (130 MB at most)."""
    try:
        return Image.fromarray(load_image(path).pixels).resize(THUMBNAIL, Image.Resampling.BOX)
    except DecodeFailure:
        return Image.new("RGB", THUMBNAIL, "lightgrey")
