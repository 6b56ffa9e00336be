"""Hours of a station to days: means, or sums of what adds up, from days with enough hours."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.defects import GAP, VALUE, Defect
from meteo_ray.forecast.series.quantities import QUANTITIES
from meteo_ray.forecast.series.source import Table

# A mean of fewer hours depends on which part of the day is missing.
LEAST_HOURS, HOURS = 18, 24

# Clocks of loggers drift by seconds.
STEP, WITHIN = 3600, 60


class Row(NamedTuple):
    """A row of a file: quantity -> value, NaN where it is missing."""

    file: str
    line: int
    values: dict[str, float]


def days_of_hours(station: str, rows: Mapping[datetime, Row], table: Table, found: list[Defect]) -> dict[datetime, Row]:
    """Day -> its mean or sum, NaN where fewer than 18 hours have a value; days with fewer rows are told in `found`.

    Rows of the same hour count as one. A day has the file and line of its first row.

    Raises:
        UsageError: when rows are not an hour apart.
    """
    times = sorted(rows)
    if not times:
        return {}
    stamps = np.array(times, "datetime64[s]")
    _require_hourly(station, rows[times[0]].file, stamps)
    hours, of_hour = np.unique(stamps.astype("datetime64[h]"), return_inverse=True)
    days, first, of_day = np.unique(hours.astype("datetime64[D]"), return_index=True, return_inverse=True)
    heads = [rows[times[int(np.searchsorted(of_hour, number))]] for number in first]
    _tell_short(station, days, np.bincount(of_day), heads, found)
    daily = {}
    for name in dict.fromkeys(name for row in rows.values() for name in row.values):
        column = np.array([rows[time].values.get(name, np.nan) for time in times])
        daily[name] = _of_days(column, of_hour, of_day, QUANTITIES[name].summed)
        low, high = table.quantities[name].bounds(QUANTITIES[name])
        for day in np.flatnonzero((daily[name] < low) | (daily[name] > high)):
            message = f"{station}: {name} of the whole day, {daily[name][day]:g}, lies outside {low:g} to {high:g}"
            found.append(Defect(VALUE, heads[day].file, heads[day].line, str(days[day]), message))
            daily[name][day] = np.nan
    return {
        datetime.combine(day.item(), datetime.min.time()): Row(
            heads[number].file, heads[number].line, {name: float(column[number]) for name, column in daily.items()}
        )
        for number, day in enumerate(days)
    }


def _require_hourly(station: str, file: str, stamps: np.ndarray) -> None:
    if len(stamps) < 2:
        return
    step = float(np.median(np.diff(stamps).astype(np.int64)))
    if abs(step - STEP) > WITHIN:
        raise UsageError(
            f"{file}: rows of {station} are {step / 60:g} minutes apart (the median), and the table is declared "
            "hourly; make hours of them first, or leave hourly out where rows are days"
        )


def _tell_short(station: str, days: np.ndarray, hours: np.ndarray, heads: list[Row], found: list[Defect]) -> None:
    for number in np.flatnonzero(hours < LEAST_HOURS):
        message = f"{station}: {hours[number]} of {HOURS} hours, wanted are {LEAST_HOURS}"
        found.append(Defect(GAP, heads[number].file, heads[number].line, str(days[number]), message))


def _of_days(column: np.ndarray, of_hour: np.ndarray, of_day: np.ndarray, summed: bool) -> np.ndarray:
    """A value for every day: of hours first (rows of one hour: their mean, or their sum), then of days."""
    total, count = _totals(column, of_hour, len(of_day))
    hourly = np.where(count > 0, total if summed else total / np.maximum(count, 1), np.nan)
    total, count = _totals(hourly, of_day, int(of_day.max()) + 1)
    mean = total / np.maximum(count, 1) * (HOURS if summed else 1)
    found: np.ndarray = np.where(count >= LEAST_HOURS, mean, np.nan)
    return found


def _totals(column: np.ndarray, group: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the known values of each group."""
    there = np.isfinite(column)
    total = np.bincount(group[there], weights=column[there], minlength=groups)
    return total, np.bincount(group[there], minlength=groups)
