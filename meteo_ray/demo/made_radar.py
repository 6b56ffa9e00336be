"""Invented radar events: cells of rain that drift, grow and decay, as 8-bit GIFs such as MeteoSwiss' radar composites.

Each cell moves with the event's wind and a little of its own, so that an extrapolation is good for a quarter of an hour
and worse for an hour, as in real life.
"""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

STEP = timedelta(minutes=5)
CELLS = 14

# The class of 1 mm/h: mm in 5 minutes = (10^((class - 71.5) / 20) / 316)^(1 / 1.5).
CLASS_AT_0_DB, CLASSES_A_DECADE, Z_R = 71.5, 20.0, (316.0, 1.5)
LOWEST_CLASS, HIGHEST_CLASS, UNSEEN = 2, 250, 255


def write_events(folder: Path, events: int, frames: int, side: int, seed: int) -> None:
    """Write `events` folders of `frames` images of `side` pixels of 1 km, five minutes apart."""
    for number in range(events):
        rng = np.random.default_rng([seed, 2, number])
        first = datetime(2021, 6, 1 + number, 12, 0)
        target = folder / f"event_{first:%Y%m%d}"
        target.mkdir(parents=True, exist_ok=True)
        for frame, rain in enumerate(_event(frames, side, rng)):
            name = f"AQC{first + frame * STEP:%y%j%H%M}F_00005.801.gif"
            save_image(target / name, rain)


def save_image(path: Path, rain: np.ndarray) -> None:
    """Rain in mm/h `(rows, columns)` as an 8-bit GIF whose indices are the classes."""
    image = Image.fromarray(classes(rain)).convert("P")
    image.putpalette([grey for index in range(256) for grey in (index, index, index)])
    image.save(path, optimize=False)


def classes(rain: np.ndarray) -> np.ndarray:
    """mm/h to the images' classes, uint8; NaN to the class of what is not seen."""
    a, b = Z_R
    with np.errstate(divide="ignore"):
        found = CLASS_AT_0_DB + CLASSES_A_DECADE * np.log10(a * (rain / 12) ** b)
    found = np.where(rain > 0, np.clip(np.round(found), LOWEST_CLASS, HIGHEST_CLASS), 0)
    return np.where(np.isnan(rain), UNSEEN, found).astype(np.uint8)


def _event(frames: int, side: int, rng: np.random.Generator) -> np.ndarray:
    """Rain in mm/h, `(frames, side, side)`; the corners lie beyond the radar's reach."""
    wind = rng.uniform(-2.0, 2.0, size=2)
    place = rng.uniform(-0.3 * side, 1.3 * side, size=(CELLS, 2))
    own = wind + rng.normal(0, 0.3, size=(CELLS, 2))
    size = rng.uniform(0.04, 0.12, size=CELLS) * side
    peak = rng.gamma(2, 4, size=CELLS)
    birth = rng.uniform(-frames, frames, size=CELLS)
    rows, columns = np.mgrid[:side, :side].astype(np.float64)
    beyond = np.hypot(rows - side / 2, columns - side / 2) > 0.6 * side
    found = []
    for frame in range(frames):
        life = np.clip(1.2 - np.abs(frame - birth) / (0.6 * frames), 0, 1)
        at = place + frame * own
        distance = [(rows - y) ** 2 + (columns - x) ** 2 for y, x in at]
        cells = [life[k] * peak[k] * np.exp(-distance[k] / (2 * size[k] ** 2)) for k in range(CELLS)]
        rain = np.sum(cells, axis=0)
        found.append(np.where(beyond, np.nan, np.where(rain < 0.1, 0, rain)))
    return np.stack(found)
