"""Invented provinces and counties: cells around random towns with rough borders, cut off at the coast."""

import numpy as np
from matplotlib.colors import to_rgba
from scipy.spatial import cKDTree

from meteo_ray.drawing import fields
from meteo_ray.drawing.maps import Map


def districts(map_: Map, count: int, china_only: bool | None = None) -> np.ndarray:
    """District number `(rows, columns)` of every grid point, -1 off the land (or outside China)."""
    rng, shape = map_.panel.rng, map_.frame.shape
    size = np.sqrt(shape[0] * shape[1] / count)
    rows, columns = np.indices(shape).astype(float)
    rows += 0.3 * size * fields.smooth_noise(rng, shape, max(0.8 * size, 4), 1.6)
    columns += 0.3 * size * fields.smooth_noise(rng, shape, max(0.8 * size, 4), 1.6)
    towns = np.column_stack([rng.uniform(0, shape[0], count), rng.uniform(0, shape[1], count)])
    _, nearest = cKDTree(towns).query(np.column_stack([rows.ravel(), columns.ravel()]))
    if china_only is None:
        china_only = bool(map_.china.mean() > 0.25)
    inside = map_.china if china_only else map_.atmosphere.land
    return np.where(inside, nearest.reshape(shape), -1)


def paint_districts(map_: Map, numbers: np.ndarray, colours: list[str]) -> None:
    """Fill every district with its colour; 'none' stays clear."""
    table = np.array([*(to_rgba(colour) for colour in colours), (0, 0, 0, 0)])
    map_.axes.imshow(
        table[numbers], extent=map_.frame.extent, origin="lower", aspect="auto", zorder=2, interpolation="nearest"
    )


def district_lines(map_: Map, numbers: np.ndarray, width: float, colour: str = "#444444") -> None:
    """The borders between districts."""
    edge = (np.diff(numbers, axis=0, append=numbers[-1:]) != 0) | (
        np.diff(numbers, axis=1, append=numbers[:, -1:]) != 0
    )
    map_.axes.contour(map_.frame.x, map_.frame.y, edge.astype(float), [0.5], colors=colour, linewidths=width, zorder=4)
