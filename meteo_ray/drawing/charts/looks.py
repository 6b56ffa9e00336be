"""Means to draw a chart in a look of its own, whatever the image's style, and to lay its axes out freely."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes

from meteo_ray.drawing import fields
from meteo_ray.drawing.frames import REGIONS, Frame
from meteo_ray.drawing.maps import Map
from meteo_ray.drawing.panel import Panel

WHITE: dict[str, Any] = {"background": "white", "land": "none", "ocean": "none", "coast": "black", "grid": "none"}
BLEED: dict[str, Any] = {"title": "none", "ticks": "none", "colour_bar": "none", "margin": 0.0, "grid": "none"}


@contextmanager
def restyled(panel: Panel, **changes: Any) -> Iterator[Panel]:
    """The same panel with parts of its style replaced; the page takes the new background."""
    style = replace(panel.style, **changes)
    panel.figure.set_facecolor(style.background)
    with matplotlib.rc_context(style.rc()):
        yield replace(panel, style=style)


def place_map(panel: Panel, frame: Frame, bar: bool = False, labels: bool = False) -> Map:
    """A map of a given frame, as large as the panel's room allows."""
    axes = panel.axes(bar, labels, aspect=frame.aspect)
    axes.grid(False)
    axes.set(xlim=(frame.x0, frame.x1), ylim=(frame.y0, frame.y1), xticks=[], yticks=[])
    return Map(panel, axes, frame)


def plain_frame(panel: Panel, regions: tuple[str, ...], columns: int, aspect: float = 0) -> Frame:
    """A latitude-longitude window on one of `regions`, moved and scaled a little unless it is the world."""
    region = REGIONS[str(panel.pick(*regions))]
    whole = region.half_lon > 170
    scale = 1.0 if whole else float(panel.rng.uniform(0.5, 1.1))
    lon = float(panel.pick(0, 180)) if whole else region.lon + float(panel.rng.uniform(-0.2, 0.2)) * region.half_lon
    return Frame.around(
        "latlon", lon, region.lat, region.half_lon * scale, region.half_lat * scale, columns, min(aspect, 2.2)
    )


def stacked_axes(panel: Panel, count: int, bar: bool) -> list[Axes]:
    """Axes one above the other with room for a title over each; only the lowest keeps its time labels."""
    em = panel.style.font_size * panel.style.dpi / 72
    left, bottom, width, height = panel.room(False, True)
    width -= 6 * em / panel.style.size[0] if bar else 0
    gap = min(2.0 * em / panel.style.size[1], 0.3 * height / count)
    each = height / count
    rows = [panel.figure.add_axes((left, bottom + (count - 1 - i) * each, width, each - gap)) for i in range(count)]
    for axes in rows[:-1]:
        axes.tick_params(labelbottom=False)
    return rows


def filaments(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Noise of about unit deviation that a swirling flow has drawn out to threads and curls."""
    wavelength = shape[1] / 7
    warps = [0.4 * wavelength * fields.smooth_noise(rng, shape, shape[1] / 5, 2.6) for _ in range(2)]
    rows, columns = np.indices(shape)
    return fields.sample(fields.smooth_noise(rng, shape, wavelength, 1.7), rows + warps[0], columns + 1.6 * warps[1])


def hour_ticks(panel: Panel, axes: Axes, hours: float) -> None:
    """Clock times or days along an axis that counts hours."""
    step = next(s for s in (1, 2, 3, 6, 12, 24, 48) if hours / s <= 9)
    ticks = np.arange(0, hours + 0.1, step)
    labels = [f"{int(tick) % 24:02d}:00" if step < 24 else f"Jan {20 + int(tick) // 24}" for tick in ticks]
    axes.set_xticks(ticks, labels)
    axes.set_xlim(0, hours)
