"""Rows as they stand in the files, station by station, before they become days."""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.defects import VALUE, Defect
from meteo_ray.forecast.series.quantities import QUANTITIES, converted
from meteo_ray.forecast.series.source import Column, Table

# A column of which more than half lies outside of its bounds is not corrupt: it is in another unit than declared.
MOST_OUTSIDE = 0.5

# Packed values, as GRIB's and many of NetCDF, are rounded: no rain becomes -1e-9 m, full cloud cover 1.00002. Half a
# step of 16 bits over the whole range is 1 / 131,070 = 7.6e-6 of it; of rain this is 0.02 mm, of humidity 0.001 %.
ROUNDING = 1e-5


@dataclass
class Records:
    """The rows of one station in one file, in the file's order.

    Args:
        file: its name.
        station: whose rows they are.
        times: of the rows.
        lines: where the rows stand, counted from 1.
        values: column -> values as the file has them, in the declared unit; one that is missing is NaN.
    """

    file: str
    station: str
    times: list[datetime] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)

    def measures(self, column: Column) -> bool:
        """Whether the file has all that a quantity is made of."""
        return all(name in self.values for name in column.columns)

    def given(self, column: Column) -> np.ndarray:
        """A quantity's values in its declared unit, float64 `(rows,)`; of components, the length of the vector, NaN
        where one of them is missing."""
        parts = [np.asarray(self.values[name], np.float64) for name in column.columns]
        return parts[0] if len(parts) == 1 else np.hypot(*parts)


def checked(records: Records, table: Table, found: list[Defect]) -> dict[str, np.ndarray]:
    """Quantity -> float64 `(rows,)` in the quantity's unit; what leaves its bounds is NaN and told in `found`, as is a
    grid point without any value. What leaves them by no more than rounding lies on them.

    Raises:
        UsageError: when most values of a column are impossible in the declared unit.
    """
    measured = [name for name, column in table.quantities.items() if records.measures(column)]
    return {name: _in_bounds(records, table, name, found) for name in measured}


def _in_bounds(records: Records, table: Table, name: str, found: list[Defect]) -> np.ndarray:
    column, quantity = table.quantities[name], QUANTITIES[name]
    raw = records.given(column)
    values = converted(raw, column.unit, quantity, table.step)
    low, high = column.bounds(quantity, table.hourly)
    room = ROUNDING * (high - low)
    outside = (values < low - room) | (values > high + room)  # NaN is neither
    known = np.isfinite(values).sum()
    if table.station.places and len(values) and not known:
        message = f"{records.station}: {column.title} has no value at its nearest grid point in the whole file; "
        found.append(_defect(records, 0, message + "where data are of land or sea alone, give a place inside"))
    if known and outside.sum() > MOST_OUTSIDE * known:
        first = int(np.argmax(outside))
        raise UsageError(
            f"{records.file}:{records.lines[first]} ({records.times[first]:%Y-%m-%d}): {outside.sum()} of {known} "
            f"values of {column.title} are impossible as {name} in {column.unit}, the first {raw[first]:g}; is the "
            "unit wrong? Where they are possible, as low pressures on a mountain, give the column a minimum or maximum"
        )
    for row in np.flatnonzero(outside):
        message = f"{records.station}: {column.title} {raw[row]:g} {column.unit} lies outside {low:g} to {high:g} "
        found.append(_defect(records, int(row), message + quantity.unit))
    return np.where(outside, np.nan, np.clip(values, low, high))


def _defect(records: Records, row: int, message: str) -> Defect:
    return Defect(VALUE, records.file, records.lines[row], f"{records.times[row]:%Y-%m-%d}", message)
