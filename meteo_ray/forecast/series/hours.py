"""Hours of a station to days: means, sums of what adds up, or extremes, from days with enough hours."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.defects import GAP, VALUE, Defect
from meteo_ray.forecast.series.quantities import QUANTITIES, Quantity
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
    """Day -> its mean, sum or extreme, NaN where fewer than 18 hours have a value.

    Days with fewer rows are told in `found`. Rows of the same hour count as one. A day has the file and line of its
    first row.

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
        daily[name] = _of_days(column, of_hour, of_day, QUANTITIES[name])
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


def _of_days(column: np.ndarray, of_hour: np.ndarray, of_day: np.ndarray, quantity: Quantity) -> np.ndarray:
    """A value for every day: of hours first (rows of one hour: their mean, sum or extreme), then of days."""
    hourly, _ = _grouped(column, of_hour, len(of_day), quantity)
    daily, count = _grouped(hourly, of_day, int(of_day.max()) + 1, quantity)
    found: np.ndarray = np.where(count >= LEAST_HOURS, daily, np.nan)
    return found * (HOURS / np.maximum(count, 1)) if quantity.summed else found


def _grouped(column: np.ndarray, group: np.ndarray, groups: int, quantity: Quantity) -> tuple[np.ndarray, np.ndarray]:
    """Mean, sum or extreme of the known values of each group, NaN where there is none, and their number."""
    there = np.isfinite(column)
    count = np.bincount(group[there], minlength=groups)
    if quantity.extreme is not None:
        found = np.full(groups, -np.inf if quantity.extreme is np.maximum else np.inf)
        quantity.extreme.at(found, group[there], column[there])
    else:
        found = np.bincount(group[there], weights=column[there], minlength=groups)
        found = found if quantity.summed else found / np.maximum(count, 1)
    return np.where(count > 0, found, np.nan), count
