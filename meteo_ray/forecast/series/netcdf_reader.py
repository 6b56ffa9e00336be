"""Station files as NetCDF, read through xarray: a time coordinate, and perhaps one of stations, or a grid."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.grids import nearest_points, rows_begin_before
from meteo_ray.forecast.series.quantities import require_declared
from meteo_ray.forecast.series.records import Records
from meteo_ray.forecast.series.source import Place, Table

if TYPE_CHECKING:
    import xarray as xr


KIND, INSTANT = "GRIB_stepType", "instant"
"""The attribute that says, in files made of GRIB, whether values are of a moment."""

NETCDF_3 = b"CDF"
"""How its files begin; those of NetCDF-4 are HDF5."""


def read_netcdf(path: Path, table: Table, places: Mapping[str, Place]) -> list[Records]:
    """The series of every station; `lines` are time steps, counted from 1. Fill values are NaN already.

    A variable's `units` attribute must name the declared unit or one that means the same. Of a grid, every one of
    `places` has the series of the point nearest to it.

    Raises:
        UsageError: when the file or a variable cannot be read, its unit is another one than declared, or a place lies
            outside of the grid.
    """
    import xarray as xr

    try:
        with path.open("rb") as file:
            if file.read(len(NETCDF_3)) == NETCDF_3:
                raise UsageError(f"{path}: is NetCDF-3; NetCDF-4 is read: nccopy -k 4 {path.name} NEW.nc makes it one")
        data = xr.open_dataset(path, engine="h5netcdf")
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot read: {error}") from None
    with data:
        _require(path, table, data)
        if table.station.places:
            data = _without_single(table, data)
            stations, before = _places(path, data, places), _begin_before(path, table, data)
        else:
            stations, before = _stations(path, table, data), timedelta(0)
        return [_station(path, table, data, station, before) for station in stations]


def _require(path: Path, table: Table, data: "xr.Dataset") -> None:
    wanted = [*table.time_columns.columns, *table.columns]
    if table.station.column:
        wanted.append(table.station.column)
    missing = [name for name in wanted if name not in data.variables]
    if missing:
        raise UsageError(
            f"{path}: no variable {', '.join(missing)}; the file has {', '.join(map(str, data.variables))}"
        )
    if not np.issubdtype(data[table.time_columns.columns[0]].dtype, np.datetime64):
        raise UsageError(
            f"{path}: {table.time_columns.columns[0]} counts no time: it lacks units such as 'days since 2000-01-01'"
        )
    if data[table.time_columns.columns[0]].ndim > 1:
        raise UsageError(
            f"{path}: {table.time_columns.columns[0]} is a table of {_sizes(data[table.time_columns.columns[0]])}; "
            "forecasts of several steps each must become one series of times first"
        )
    lacking = np.flatnonzero(np.isnat(data[table.time_columns.columns[0]].values))
    if len(lacking):
        raise UsageError(f"{path}: step {lacking[0] + 1} of {table.time_columns.columns[0]} has no time")
    for column, quantities in table.columns.items():
        unit = data[column].attrs.get("units")
        for name, declared in quantities:
            require_declared(path, name, column, None if unit is None else str(unit), declared)


def _sizes(variable: "xr.DataArray") -> str:
    """`time (24), expver (2)`."""
    return ", ".join(f"{name} ({size})" for name, size in variable.sizes.items())


def _stations(path: Path, table: Table, data: "xr.Dataset") -> list[tuple[str, dict[str, Any]]]:
    """Name and selection of every station."""
    column = table.station.column
    if column is None:
        return [(table.station.name or path.stem, {})]
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in np.atleast_1d(data[column].values)]
    if not all(name.strip() for name in names):
        raise UsageError(f"{path}: station {[name.strip() for name in names].index('') + 1} of {column} has no name")
    dimension = data[column].dims[0] if data[column].dims else None
    return [(name, {} if dimension is None else {str(dimension): number}) for number, name in enumerate(names)]


def _without_single(table: Table, data: "xr.Dataset") -> "xr.Dataset":
    """Without dimensions of one entry, such as ECMWF's `number` and `expver`, but for the time."""
    times = data[table.time_columns.columns[0]].dims
    return data.isel({name: 0 for name, size in data.sizes.items() if size == 1 and name not in times})


def _places(path: Path, data: "xr.Dataset", places: Mapping[str, Place]) -> list[tuple[str, dict[str, Any]]]:
    """Name and selection of every place: the grid point nearest to it."""
    import xarray as xr

    latitudes, longitudes = xr.broadcast(_degrees(path, data, "latitude"), _degrees(path, data, "longitude"))
    grid = np.asarray(latitudes.values, np.float64), np.asarray(longitudes.values, np.float64)
    found = nearest_points(path, *grid, places)
    return [(name, dict(zip(map(str, latitudes.dims), point, strict=True))) for name, point in found.items()]


def _degrees(path: Path, data: "xr.Dataset", which: str) -> "xr.DataArray":
    """The grid's latitudes or longitudes, known by their name or by the CF conventions' standard name."""
    for name, variable in data.variables.items():
        if str(name).lower() in (which, which[:3]) or variable.attrs.get("standard_name") == which:
            return data[name]
    raise UsageError(f"{path}: no {which}s; places need a grid, and the file has {', '.join(map(str, data.variables))}")


def _begin_before(path: Path, table: Table, data: "xr.Dataset") -> timedelta:
    """How long before the file's time rows begin. ECMWF's files tell the kind of interval, and not its length: hours
    are stamped with their end, days of its daily statistics with the day itself."""
    length = 60 if table.hourly else 0
    kinds = {column: data[column].attrs.get(KIND, INSTANT) for column in table.columns}
    minutes = {name: 0 if str(kind) == INSTANT else length for name, kind in kinds.items()}
    return timedelta(minutes=rows_begin_before(path, table, minutes))


def _station(
    path: Path, table: Table, data: "xr.Dataset", station: tuple[str, dict[str, Any]], before: timedelta
) -> Records:
    name, chosen = station
    stamps = pd.DatetimeIndex(np.atleast_1d(data[table.time_columns.columns[0]].values)) - before
    times = stamps.to_pydatetime().tolist()
    records = Records(path.name, name, times, list(range(1, len(times) + 1)))
    for column in table.columns:
        series = data[column].isel(chosen)
        values = np.atleast_1d(np.asarray(series.values, np.float64))
        if values.shape != (len(times),):
            raise UsageError(f"{path}: {column} is no series of the time alone, but of {_sizes(series)}")
        records.values[column] = values.tolist()
    return records
