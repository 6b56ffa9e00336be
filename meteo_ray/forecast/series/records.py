"""Rows as they stand in the files, station by station, before they become days."""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.defects import VALUE, Defect
from meteo_ray.forecast.series.quantities import QUANTITIES, converted
from meteo_ray.forecast.series.source import Table

# A column of which more than half lies outside of its bounds is not corrupt: it is in another unit than declared.
MOST_OUTSIDE = 0.5

# Packed values, as GRIB's and many of NetCDF, are rounded: no rain becomes -1e-9 m, full cloud cover 1.00002. Half a
# step of 16 bits over the whole range is 1 / 131,070 = 7.6e-6 of it; of rain this is 0.02 mm, of humidity 0.001 %.
ROUNDING = 1e-5

# Rain of hours falls whenever it eases off; sums since midnight, as those of ERA5-Land, once a day and always at the
# same hour. By chance that many falls are all at the hour of the first one with 24^-9.
TELLING_FALLS = 10


@dataclass
class Records:
    """The rows of one station in one file, in the file's order; a value that is missing is NaN."""

    file: str
    station: str
    times: list[datetime] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)


def checked(records: Records, table: Table, found: list[Defect]) -> dict[str, np.ndarray]:
    """Quantity -> float64 `(rows,)` in the quantity's unit; what leaves its bounds is NaN and told in `found`, as is a
    grid point without any value. What leaves them by no more than rounding lies on them.

    Raises:
        UsageError: when most values of a column are impossible in the declared unit, or rain of hours is a sum since
            the start of a day.
    """
    return {name: _in_bounds(records, table, name, np.asarray(raw), found) for name, raw in records.values.items()}


def _in_bounds(records: Records, table: Table, name: str, raw: np.ndarray, found: list[Defect]) -> np.ndarray:
    column, quantity = table.quantities[name], QUANTITIES[name]
    values = converted(raw, column.unit, quantity)
    low, high = column.bounds(quantity, table.hourly)
    room = ROUNDING * (high - low)
    outside = (values < low - room) | (values > high + room)  # NaN is neither
    known = np.isfinite(values).sum()
    if table.station.places and len(values) and not known:
        message = f"{records.station}: {column.column} has no value at its nearest grid point in the whole file; "
        found.append(_defect(records, 0, message + "where data are of land or sea alone, give a place inside"))
    if known and outside.sum() > MOST_OUTSIDE * known:
        first = int(np.argmax(outside))
        raise UsageError(
            f"{records.file}:{records.lines[first]} ({records.times[first]:%Y-%m-%d}): {outside.sum()} of {known} "
            f"values of {column.column} are impossible as {name} in {column.unit}, the first {raw[first]:g}; is the "
            "unit wrong? Where they are possible, as low pressures on a mountain, give the column a minimum or maximum"
        )
    if table.hourly and name == "precipitation":
        _require_sums_of_hours(records, column.column, values, room)
    for row in np.flatnonzero(outside):
        message = f"{records.station}: {column.column} {raw[row]:g} {column.unit} lies outside {low:g} to {high:g} "
        found.append(_defect(records, int(row), message + quantity.unit))
    return np.where(outside, np.nan, np.clip(values, low, high))


def _require_sums_of_hours(records: Records, column: str, values: np.ndarray, room: float) -> None:
    """Raises UsageError where sums grow all day and fall at one hour of it alone, by more than `room`."""
    stamps = np.array(records.times, "datetime64[h]")
    order = np.argsort(stamps, kind="stable")
    follows = np.diff(stamps[order]) == np.timedelta64(1, "h")
    falls = stamps[order][1:][follows & (np.diff(values[order]) < -room)].astype(np.int64) % 24
    if len(falls) >= TELLING_FALLS and (falls == falls[0]).all():
        raise UsageError(
            f"{records.file}: {column} of {records.station} grows all day and falls at one hour of it alone, "
            f"{len(falls)} times: sums since the start of a day or a forecast, not of an hour; take them apart first"
        )


def _defect(records: Records, row: int, message: str) -> Defect:
    return Defect(VALUE, records.file, records.lines[row], f"{records.times[row]:%Y-%m-%d}", message)
