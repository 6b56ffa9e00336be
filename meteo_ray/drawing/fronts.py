"""Weather fronts: where they run, and their symbols (cold triangles, warm half circles)."""

import contourpy
import numpy as np
from matplotlib.collections import PolyCollection
from scipy import ndimage

from meteo_ray.drawing import fields
from meteo_ray.drawing.maps import Map

COLOURS: dict[str, str] = {"cold": "#0030e0", "warm": "#e00020", "stationary": "#0030e0", "occluded": "#8a20b0"}


def front_through_low(map_: Map, temperature: np.ndarray, pressure: np.ndarray, number: int) -> np.ndarray:
    """A stretch `(n, 2)` (metres) of an isotherm beginning at the `number`-th low, on one side of it or the other.

    Fronts lie along the warm edge of the strongest temperature gradient and meet at the low's centre.
    """
    frame = map_.frame
    smooth = ndimage.gaussian_filter(temperature, 2)
    _, lows = fields.extrema(ndimage.gaussian_filter(pressure, 1), max(9, pressure.shape[1] // 7), 5)
    lows = lows if len(lows) else np.array([[s // 2 for s in pressure.shape]])
    row, column = lows[(number // 2) % len(lows)]
    generator = contourpy.contour_generator(frame.x, frame.y, smooth)
    lines = [np.asarray(part) for part in generator.lines(float(smooth[row, column]))]
    centre = np.array([frame.x[column], frame.y[row]])
    line = min(lines, key=lambda part: np.min(np.hypot(*(part - centre).T)) - 1e-3 * len(part))
    nearest = int(np.argmin(np.hypot(*(line - centre).T)))
    side = line[nearest:] if number % 2 else line[: nearest + 1][::-1]
    if len(side) < 8:
        side = line
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(side, axis=0).T))])
    longest = map_.panel.rng.uniform(0.2, 0.45) * (frame.x1 - frame.x0)
    return side[lengths <= longest]


def draw_front(map_: Map, path: np.ndarray, kind: str) -> None:
    """Draw the line and its symbols; `kind` is cold, warm, stationary or occluded."""
    if len(path) < 4:
        return
    frame, style = map_.frame, map_.panel.style
    metres_per_pixel = (frame.x1 - frame.x0) / (map_.axes.get_position().width * style.size[0])
    size = style.font_size * style.dpi / 72 * 0.55 * metres_per_pixel
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    even = np.arange(0, along[-1], size / 3)
    smooth = np.column_stack([ndimage.gaussian_filter1d(np.interp(even, along, axis), 6) for axis in path.T])
    map_.axes.plot(*smooth.T, color=COLOURS[kind], linewidth=1.8, zorder=9)
    gap = int(map_.panel.rng.integers(11, 17))
    starts = range(4, len(smooth) - 8, gap)
    shapes, colours = [], []
    for order, start in enumerate(starts):
        warm = kind == "warm" or (kind in ("stationary", "occluded") and order % 2 == 1)
        colour = {"stationary": COLOURS["warm" if warm else "cold"]}.get(kind, COLOURS[kind])
        flip = -1.0 if kind == "stationary" and warm else 1.0
        shapes.append(_symbol(smooth[start], smooth[min(start + 6, len(smooth) - 1)], warm, flip))
        colours.append(colour)
    if shapes:
        map_.axes.add_collection(
            PolyCollection(shapes, facecolors=colours, edgecolors=colours, zorder=9), autolim=False
        )


def _symbol(start: np.ndarray, end: np.ndarray, round_: bool, side: float) -> np.ndarray:
    """A triangle or half circle `(n, 2)` standing on the stretch from `start` to `end`."""
    middle, half = (start + end) / 2, (end - start) / 2
    normal = np.array([-half[1], half[0]]) * side
    if not round_:
        return np.array([start, end, middle + 1.4 * normal])
    angle = np.linspace(0, np.pi, 12)[:, None]
    return middle + np.cos(angle) * half + np.sin(angle) * normal
