"""Stations in gridded data: each has the series of the grid point nearest to it."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.source import Place, Table

EARTH_KM = 6371.0

LONE_POINT_KM = 28.0
"""A single point has no neighbours that tell the spacing: 0.25 degrees, those of ERA5."""

NEIGHBOURS = 4
"""Of a point of a grid without rows, the nearest; the farthest of them stands for the spacing."""


def nearest_points(
    path: Path, latitudes: np.ndarray, longitudes: np.ndarray, places: Mapping[str, Place]
) -> dict[str, tuple[int, ...]]:
    """Place -> index of its grid point; arrays of degrees have the grid's shape, longitudes in any turn of the circle.

    Raises:
        UsageError: naming the places that are farther from the grid than its points are from each other.
    """
    points = _on_sphere(latitudes, longitudes)
    found, outside = {}, []
    for name, place in places.items():
        closeness = np.nan_to_num(points @ _on_sphere(np.array(place.latitude), np.array(place.longitude)), nan=-1.0)
        at = tuple(int(index) for index in np.unravel_index(int(closeness.argmax()), closeness.shape))
        distance, spacing = _km(closeness[at]), _spacing(points, at)
        found[name] = at
        if distance > spacing:
            outside.append(
                f"{name}: {place.latitude:g}, {place.longitude:g} is {distance:.0f} km from the nearest point, "
                f"{latitudes[at]:g}, {longitudes[at]:g}, whose neighbours are at {spacing:.0f} km"
            )
    if outside:
        raise UsageError.of_problems(f"{path}: stations outside of its grid:", outside)
    return found


def _on_sphere(latitudes: np.ndarray, longitudes: np.ndarray) -> np.ndarray:
    """Degrees of any shape -> unit vectors `(..., 3)`."""
    north, east = np.radians(latitudes), np.radians(longitudes)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=-1)


def _km(cosine: np.ndarray) -> np.ndarray:
    found: np.ndarray = EARTH_KM * np.arccos(np.clip(cosine, -1, 1))
    return found


def _spacing(points: np.ndarray, at: tuple[int, ...]) -> float:
    """Between a point and its neighbours, km: along the axis on which they are farther apart."""
    if points.ndim == 2:
        return _spacing_without_rows(points, at)
    steps = []
    for axis, index in enumerate(at):
        for other in (index - 1, index + 1):
            if 0 <= other < points.shape[axis]:
                steps.append(float(_km(points[at] @ points[(*at[:axis], other, *at[axis + 1 :])])))
    return max((step for step in steps if np.isfinite(step)), default=0.0) or LONE_POINT_KM


def _spacing_without_rows(points: np.ndarray, at: tuple[int, ...]) -> float:
    distances = np.sort(_km(points @ points[at]))[1 : NEIGHBOURS + 1]
    return float(distances[-1]) if len(distances) else LONE_POINT_KM


def rows_begin_before(path: Path, table: Table, minutes: Mapping[str, int]) -> int:
    """By how many minutes a row's own time lies before the time in the file, which of sums and means is the end.

    Args:
        path: named in errors.
        table: whose rows are hours or days.
        minutes: column -> the length of the interval that its values are of, 0 for values of a moment.

    Raises:
        UsageError: when intervals are no hours (of daily tables no days), or differ from column to column.
    """
    wanted = 60 if table.hourly else 24 * 60
    for column, length in minutes.items():
        if length not in (0, wanted):
            raise UsageError(
                f"{path}: {column} is of intervals of {length / 60:g} hours, rows of this table are "
                f"{'hours' if table.hourly else 'days'}; sums since the start of a forecast must be taken apart first"
            )
    if len(set(minutes.values())) > 1:
        told = ", ".join(f"{column} {length / 60:g} hours" for column, length in minutes.items())
        raise UsageError(
            f"{path}: values of a moment (0 hours) and of an interval belong to different times: {told}; describe a "
            "table of the same files for each kind"
        )
    return max(minutes.values(), default=0)
