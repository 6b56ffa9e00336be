"""All files of a description to one panel: days in order, each once, gaps and doubled days named."""

import logging
from itertools import pairwise
from pathlib import Path

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.csv_reader import read_csv
from meteo_ray.forecast.series.defects import DOUBLED, GAP, Defect, require_allowed, told
from meteo_ray.forecast.series.netcdf_reader import read_netcdf
from meteo_ray.forecast.series.panel import Panel
from meteo_ray.forecast.series.quantities import QUANTITIES
from meteo_ray.forecast.series.records import Records, checked
from meteo_ray.forecast.series.source import Source, Table

logger = logging.getLogger("meteo_ray")

# A mean of fewer hours depends on which part of the day is missing.
LEAST_HOURS, HOURS = 18, 24

Days = dict[np.datetime64, tuple[str, int, dict[str, float]]]
"""Day -> file, line and values of the row that counts."""


def read_panel(source: Source, folder: Path) -> tuple[Panel, list[Defect]]:
    """Read, check and join the files of `source` below `folder`; every defect is logged and returned.

    Raises:
        UsageError: when a file cannot be read, a unit is wrong, or a defect is of a kind that the description refuses.
    """
    found: list[Defect] = []
    series: dict[str, Days] = {}
    for table in source.tables:
        of_table: dict[str, Days] = {}
        for name in table.files:
            records = _read(folder / name, table, found)
            for station in records:
                _add_days(of_table.setdefault(station.station, {}), station, table, source, found)
        for station_name, days in of_table.items():
            _tell_gaps(station_name, days, found)
            _join(series.setdefault(station_name, {}), days)
    require_allowed(found, source.defects)
    for line in told(found, source.defects):
        logger.warning("%s", line)
    return _panel(source, series), found


def _read(path: Path, table: Table, found: list[Defect]) -> list[Records]:
    if not path.is_file():
        raise UsageError(f"{path}: no such file; --data names the folder in which the described files lie")
    return read_csv(path, table, found) if table.format == "csv" else read_netcdf(path, table)


def _add_days(days: Days, records: Records, table: Table, source: Source, found: list[Defect]) -> None:
    values = checked(records, table, found)
    stamps = np.array(records.times, dtype="datetime64[s]")
    if table.hourly:
        stamps, lines, values = _daily(stamps, np.array(records.lines), values)
    else:
        lines = np.array(records.lines)
    for row, day in enumerate(stamps.astype("datetime64[D]")):
        line, entry = int(lines[row]), {name: float(column[row]) for name, column in values.items()}
        if day in days:
            file, before, _ = days[day]
            message = f"{records.station}: this day stands in {file}:{before} too"
            found.append(Defect(DOUBLED, records.file, line, str(day), message))
            if source.defects.doubled == "first":
                continue
        days[day] = (records.file, line, entry)


def _daily(
    stamps: np.ndarray, lines: np.ndarray, values: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Hours to days: means (of rain the sum); NaN where too few hours are there."""
    days, first, number = np.unique(stamps.astype("datetime64[D]"), return_index=True, return_inverse=True)
    daily = {}
    for name, column in values.items():
        there = np.isfinite(column)
        count = np.bincount(number[there], minlength=len(days))
        total = np.bincount(number[there], weights=column[there], minlength=len(days))
        summed = QUANTITIES[name].name in ("precipitation", "sunshine", "snow_hours")
        mean = total / np.maximum(count, 1) * (HOURS if summed else 1)
        daily[name] = np.where(count >= LEAST_HOURS, mean, np.nan)
    return days, lines[first], daily


def _tell_gaps(station: str, days: Days, found: list[Defect]) -> None:
    known = np.array(sorted(days))
    for before, after in pairwise(known):
        missing = int((after - before) / np.timedelta64(1, "D")) - 1
        if missing:
            file, line, _ = days[after]
            message = f"{station}: {missing} days without a row, {before + 1} to {after - 1}"
            found.append(Defect(GAP, file, line, str(before + 1), message))


def _join(series: Days, days: Days) -> None:
    """Another table's quantities for the same days of the same station."""
    for day, (file, line, values) in days.items():
        known = series.get(day)
        series[day] = (file, line, values) if known is None else (known[0], known[1], {**known[2], **values})


def _panel(source: Source, series: dict[str, Days]) -> Panel:
    if not series or not any(series.values()):
        raise UsageError(f"{source.name}: the files hold no row")
    every = [day for days in series.values() for day in days]
    days = np.arange(min(every), max(every) + np.timedelta64(1, "D"))
    quantities = tuple(dict.fromkeys(name for table in source.tables for name in table.quantities))
    values = np.full((len(series), len(days), len(quantities)), np.nan)
    for number, rows in enumerate(series.values()):
        for day, (_, _, entry) in rows.items():
            at = int((day - days[0]) / np.timedelta64(1, "D"))
            for name, value in entry.items():
                values[number, at, quantities.index(name)] = value
    places = np.full((len(series), 2), np.nan)
    for number, name in enumerate(series):
        if name in source.stations:
            places[number] = source.stations[name].latitude, source.stations[name].longitude
    return Panel(days, tuple(series), quantities, values, places)
