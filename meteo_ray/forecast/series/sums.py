"""Rain and radiation of hours: what is a sum since the start of a day, as in ERA5-Land, is refused.

Rain of hours falls whenever it eases off, radiation of hours all afternoon; sums since midnight fall once a day and
always at the same hour.
"""

from collections.abc import Sequence

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.quantities import QUANTITIES, converted, is_energy
from meteo_ray.forecast.series.records import ROUNDING, Records
from meteo_ray.forecast.series.source import Column, Table

TELLING_FALLS = 10
"""By chance that many falls are all at the hour of the first one with 24^-9."""

LIGHT_HOURS = 4
"""A day: where the polar night begins, radiation of hours falls at one hour too, after two or three of light. A sum
since midnight stays, so that it is above zero for long."""

HOURS = 24


def require_sums_of_hours(files: Sequence[Records], table: Table) -> None:
    """Look through all files of one station together: a month may lie in files of a day each.

    Raises:
        UsageError: when rain or an energy of an hourly table is a sum since the start of a day.
    """
    for name, column in table.quantities.items():
        of_radiation = is_energy(QUANTITIES[name], column.unit)
        measured = [records for records in files if records.measures(column)]
        if not table.hourly or not measured or not (of_radiation or name == "precipitation"):
            continue
        stamps = np.concatenate([np.array(records.times, "datetime64[h]") for records in measured])
        given = np.concatenate([records.given(column) for records in measured])
        values = converted(given, column.unit, QUANTITIES[name], table.step)
        room = _room(name, column, of_radiation)
        falls = _hours_of_falls(stamps, values, room)
        one_hour = len(falls) >= TELLING_FALLS and bool((falls == falls[0]).all())
        if one_hour and not (of_radiation and (values > room).sum() <= LIGHT_HOURS * len(falls)):
            first = measured[0]
            raise UsageError(
                f"{first.file}: {column.title} of {first.station} grows all day and falls at one hour of it alone, "
                f"{len(falls)} times: sums since the start of a day or a forecast, not of an hour; take them apart "
                "first"
            )


def _room(name: str, column: Column, of_radiation: bool) -> float:
    """By how much packing may make sums fall. Those of radiation are packed over the range of a whole day's."""
    if of_radiation:
        return 2 * ROUNDING * HOURS * QUANTITIES[name].maximum
    low, high = column.bounds(QUANTITIES[name], hourly=True)
    return ROUNDING * (high - low)


def _hours_of_falls(stamps: np.ndarray, values: np.ndarray, room: float) -> np.ndarray:
    """Hours of the day, int64, at which values are lower than an hour before by more than `room`."""
    order = np.argsort(stamps, kind="stable")
    follows = np.diff(stamps[order]) == np.timedelta64(1, "h")
    falls: np.ndarray = stamps[order][1:][follows & (np.diff(values[order]) < -room)].astype(np.int64) % HOURS
    return falls
