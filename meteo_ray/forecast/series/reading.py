"""All files of a description to one panel: days in order, each once, gaps and doubled days named.

Rows of all files of a table come together first, then hours become days, then tables are joined value by value.
"""

import logging
from collections.abc import Mapping
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.csv_reader import read_csv
from meteo_ray.forecast.series.defects import DOUBLED, GAP, Defect, require_allowed, told
from meteo_ray.forecast.series.grib_reader import read_grib
from meteo_ray.forecast.series.hours import Row, days_of_hours
from meteo_ray.forecast.series.netcdf_reader import read_netcdf
from meteo_ray.forecast.series.panel import Panel
from meteo_ray.forecast.series.records import Records, checked
from meteo_ray.forecast.series.source import Place, Source, Table
from meteo_ray.forecast.series.sums import require_sums_of_hours

logger = logging.getLogger("meteo_ray")

ZIP = b"PK\x03\x04"
"""How its archives begin."""


class Value(NamedTuple):
    """What was measured on a day, and where it stands."""

    file: str
    line: int
    value: float


Series = dict[str, dict[date, Value]]
"""Of one station: quantity -> day -> the value that counts."""


def read_panel(source: Source, folder: Path) -> tuple[Panel, list[Defect]]:
    """Read, check and join the files of `source` below `folder`; every defect is logged and returned.

    Raises:
        UsageError: when a file cannot be read, a unit is wrong, rows of an hourly table are not an hour apart, or a
            defect is of a kind that the description refuses.
    """
    found: list[Defect] = []
    stations: dict[str, Series] = {}
    for table in source.tables:
        for name, rows in _rows(source, table, folder, found).items():
            days = days_of_hours(name, rows, table, found) if table.hourly else rows
            _join(name, stations.setdefault(name, {}), days, source.defects.doubled, found)
    for name, series in stations.items():
        _tell_gaps(name, series, found)
    require_allowed(found, source.defects)
    for line in told(found, source.defects):
        logger.warning("%s", line)
    return _panel(source, stations), found


def _rows(source: Source, table: Table, folder: Path, found: list[Defect]) -> dict[str, dict[datetime, Row]]:
    """Station -> time -> the row of the table's files that counts; the time is a day's begin where rows are days."""
    stations: dict[str, list[Records]] = {}
    for name in table.files:
        for records in _read(folder / name, table, source.stations, found):
            stations.setdefault(records.station, []).append(records)
    every: dict[str, dict[datetime, Row]] = {}
    for station, files in stations.items():
        require_sums_of_hours(files, table)
        rows = every.setdefault(station, {})
        for records in files:
            _add_rows(rows, records, table, source.defects.doubled, found)
    return every


def _read(path: Path, table: Table, places: Mapping[str, Place], found: list[Defect]) -> list[Records]:
    if not path.is_file():
        raise UsageError(f"{path}: no such file; --data names the folder in which the described files lie")
    _require_unpacked(path)
    if table.format == "csv":
        return read_csv(path, table, found)
    return read_grib(path, table, places) if table.format == "grib" else read_netcdf(path, table, places)


def _require_unpacked(path: Path) -> None:
    """The Climate Data Store packs NetCDF of several kinds of values, whatever name the download is given."""
    try:
        with path.open("rb") as file:
            packed = file.read(len(ZIP)) == ZIP
    except OSError:  # whoever reads it says so
        return
    if packed:
        raise UsageError(f"{path}: is a ZIP archive; unpack it, and describe a table for the files of each kind in it")


def _add_rows(rows: dict[datetime, Row], records: Records, table: Table, doubled: str, found: list[Defect]) -> None:
    values = checked(records, table, found)
    for number, (time, line) in enumerate(zip(records.times, records.lines, strict=True)):
        stamp = time if table.hourly else datetime(time.year, time.month, time.day)
        if stamp in rows:
            file, before, _ = rows[stamp]
            message = f"{records.station}: this {'time' if table.hourly else 'day'} stands in {file}:{before} too"
            if time != stamp:
                message += f", here at {time:%H:%M}; where rows are hours say hourly: true"
            found.append(Defect(DOUBLED, records.file, line, f"{time:%Y-%m-%d}", message))
            if doubled == "first":
                continue
        rows[stamp] = Row(records.file, line, {name: float(column[number]) for name, column in values.items()})


def _join(station: str, series: Series, rows: Mapping[datetime, Row], doubled: str, found: list[Defect]) -> None:
    """Another table's values for the same station; a missing one never replaces a number."""
    for time, (file, line, values) in rows.items():
        day = time.date()
        for name, value in values.items():
            known = series.setdefault(name, {}).get(day)
            if known is not None and np.isfinite(known.value):
                if not np.isfinite(value):
                    continue
                message = f"{station}: {name} of this day stands in {known.file}:{known.line} too"
                found.append(Defect(DOUBLED, file, line, str(day), message))
                if doubled == "first":
                    continue
            series[name][day] = Value(file, line, value)


def _tell_gaps(station: str, series: Series, found: list[Defect]) -> None:
    """Once for all quantities that stand in the same rows."""
    together: dict[frozenset[date], list[str]] = {}
    for name, values in series.items():
        together.setdefault(frozenset(values), []).append(name)
    for days, names in together.items():
        for before, after in pairwise(np.array(sorted(days), "datetime64[D]")):
            missing = int((after - before) / np.timedelta64(1, "D")) - 1
            if missing:
                file, line, _ = series[names[0]][after.item()]
                of = f" of {', '.join(names)}" if len(together) > 1 else ""
                message = f"{station}: {missing} days without a row{of}, {before + 1} to {after - 1}"
                found.append(Defect(GAP, file, line, str(before + 1), message))


def _panel(source: Source, stations: Mapping[str, Series]) -> Panel:
    every = {day for series in stations.values() for values in series.values() for day in values}
    if not every:
        raise UsageError(f"{source.name}: the files hold no row")
    days = np.arange(np.datetime64(min(every), "D"), np.datetime64(max(every), "D") + 1)
    quantities = tuple(dict.fromkeys(name for table in source.tables for name in table.quantities))
    values = np.full((len(stations), len(days), len(quantities)), np.nan)
    first = min(every).toordinal()
    for number, series in enumerate(stations.values()):
        for name, column in series.items():
            for day, entry in column.items():
                values[number, day.toordinal() - first, quantities.index(name)] = entry.value
    places = np.full((len(stations), 2), np.nan)
    for number, name in enumerate(stations):
        if name in source.stations:
            places[number] = source.stations[name].latitude, source.stations[name].longitude
    return Panel(days, tuple(stations), quantities, values, places)
