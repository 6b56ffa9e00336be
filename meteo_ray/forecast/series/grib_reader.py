"""Gridded analyses as GRIB: every described station is given the series of the grid point nearest to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.grids import nearest_points, rows_begin_before
from meteo_ray.forecast.series.quantities import require_declared
from meteo_ray.forecast.series.records import Records
from meteo_ray.forecast.series.source import Place, Table
from meteo_ray.grib import interval_minutes, messages_of, shape_of, valid_time, values_of

if TYPE_CHECKING:
    from eccodes.highlevel import GRIBMessage

UNTOLD = "unknown"
"""eccodes' unit of parameters that it does not know."""


@dataclass
class _Found:
    """What the messages of a file hold of the wanted columns."""

    values: dict[str, dict[datetime, np.ndarray]]
    """Column -> time -> float64 `(places,)`."""
    numbers: dict[datetime, int] = field(default_factory=dict)
    """The first message of every time, counted from 1."""
    minutes: dict[str, int] = field(default_factory=dict)
    """Column -> the interval that its values are of."""
    others: dict[str, None] = field(default_factory=dict)
    """Names of what is not wanted, in order."""


def read_grib(path: Path, table: Table, places: Mapping[str, Place]) -> list[Records]:
    """The series of every place; `lines` are messages, counted from 1; missing points are NaN.

    A column is the parameter's name in eccodes: `t2m`, as xarray calls it, or `2t`. Its unit must be the
    declared one or one that means the same. The time is that at which a value is true; a sum or mean over an hour or a
    day belongs to its begin.

    Raises:
        UsageError: when the file cannot be read or lacks a column, a unit is another one than declared, two messages
            are of the same column and time, or a place lies outside of the grid.
    """
    found = _Found({column: {} for column in table.columns})
    grids: dict[str, np.ndarray] = {}
    with messages_of(path) as messages:
        for number, message in enumerate(messages, 1):
            names = message["cfVarName"], message["shortName"]
            columns = [column for column in table.columns if column in names]
            if not columns:
                found.others[names[0] if names[0] != UNTOLD else names[1]] = None
            for column in columns:
                _take(path, table, column, number, message, found)
            if columns:
                values = values_of(message)[_points(path, message, places, grids)]
                for column in columns:
                    found.values[column][valid_time(message)] = values
    _require_all(path, found)
    return _records(path, places, found, timedelta(minutes=rows_begin_before(path, table, found.minutes)))


def _take(path: Path, table: Table, column: str, number: int, message: "GRIBMessage", found: _Found) -> None:
    """Raises UsageError where a message does not fit the description or what came before it."""
    time, minutes, unit = valid_time(message), interval_minutes(message), message["units"]
    for name, declared in table.columns[column]:
        require_declared(path, name, column, None if unit == UNTOLD else unit, declared)
    if time in found.values[column]:
        level = f"{message.get('typeOfLevel')} {message.get('level')}"
        raise UsageError(
            f"{path}: message {number} is of {column} at {time:%Y-%m-%d %H:%M} as one before it; levels, members"
            f" or forecasts that overlap cannot be told apart (this one: {level}, step {message.get('stepRange')}, "
            f"member {message.get('number', '-')}): keep one of them, as with grib_copy -w"
        )
    before = found.minutes.setdefault(column, minutes)
    if before != minutes:
        raise UsageError(
            f"{path}: {column} is of intervals of {before / 60:g} hours and, in message {number}, of "
            f"{minutes / 60:g}; sums since the start of a forecast must be taken apart first"
        )
    found.numbers.setdefault(time, number)


def _points(
    path: Path, message: "GRIBMessage", places: Mapping[str, Place], known: dict[str, np.ndarray]
) -> np.ndarray:
    """Positions of the places in a message's values, int64 `(places,)`; worked out once for every grid."""
    if message.get("jPointsAreConsecutive", 0) and message.get("alternativeRowScanning", 0):
        raise UsageError(f"{path}: its grid runs up and down by columns, of which eccodes gives wrong coordinates")
    grid = message["md5GridSection"]
    if grid not in known:
        shape = shape_of(message)
        latitudes, longitudes = (message.get_array(name).reshape(shape) for name in ("latitudes", "longitudes"))
        points = nearest_points(path, latitudes, longitudes, places)
        known[grid] = np.array([np.ravel_multi_index(point, shape) for point in points.values()], np.int64)
    return known[grid]


def _require_all(path: Path, found: _Found) -> None:
    missing = [column for column, values in found.values.items() if not values]
    if missing:
        there = [*found.minutes, *found.others]
        raise UsageError(f"{path}: no parameter {', '.join(missing)}; the file has {', '.join(there)[:300]}")


def _records(path: Path, places: Mapping[str, Place], found: _Found, before: timedelta) -> list[Records]:
    times = sorted(found.numbers)
    nothing = np.full(len(places), np.nan)
    columns = {name: np.stack([values.get(time, nothing) for time in times]) for name, values in found.values.items()}
    lines = [found.numbers[time] for time in times]
    return [
        Records(
            path.name,
            place,
            [time - before for time in times],
            lines,
            {name: values[:, number].tolist() for name, values in columns.items()},
        )
        for number, place in enumerate(places)
    ]
