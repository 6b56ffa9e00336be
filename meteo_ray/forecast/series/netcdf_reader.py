"""Station files as NetCDF, read through xarray: a time coordinate, and perhaps one of stations."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.quantities import QUANTITIES, same_unit, unit_problem
from meteo_ray.forecast.series.records import Records
from meteo_ray.forecast.series.source import Table

if TYPE_CHECKING:
    import xarray as xr


NETCDF_3 = b"CDF"
"""How its files begin; those of NetCDF-4 are HDF5."""


def read_netcdf(path: Path, table: Table) -> list[Records]:
    """The series of every station; `lines` are time steps, counted from 1. Fill values are NaN already.

    A variable's `units` attribute must name the declared unit or one that means the same.

    Raises:
        UsageError: when the file or a variable cannot be read, or its unit is another one than declared.
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
        return [_station(path, table, data, station) for station in _stations(path, table, data)]


def _require(path: Path, table: Table, data: "xr.Dataset") -> None:
    wanted = [*table.time.columns, *(column.column for column in table.quantities.values())]
    if table.station.column:
        wanted.append(table.station.column)
    missing = [name for name in wanted if name not in data.variables]
    if missing:
        raise UsageError(
            f"{path}: no variable {', '.join(missing)}; the file has {', '.join(map(str, data.variables))}"
        )
    if not np.issubdtype(data[table.time.columns[0]].dtype, np.datetime64):
        raise UsageError(
            f"{path}: {table.time.columns[0]} counts no time: it lacks units such as 'days since 2000-01-01'"
        )
    lacking = np.flatnonzero(np.isnat(data[table.time.columns[0]].values))
    if len(lacking):
        raise UsageError(f"{path}: step {lacking[0] + 1} of {table.time.columns[0]} has no time")
    for name, column in table.quantities.items():
        unit = data[column.column].attrs.get("units")
        if unit is not None and not same_unit(str(unit), column.unit, QUANTITIES[name]):
            problem = unit_problem(QUANTITIES[name], str(unit)) or "the file and its description differ"
            raise UsageError(f"{path}: {column.column} is in {unit!r}, declared is {column.unit!r}: {problem}")


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


def _station(path: Path, table: Table, data: "xr.Dataset", station: tuple[str, dict[str, Any]]) -> Records:
    name, chosen = station
    times = pd.DatetimeIndex(data[table.time.columns[0]].values).to_pydatetime().tolist()
    records = Records(path.name, name, times, list(range(1, len(times) + 1)))
    for quantity, column in table.quantities.items():
        values = np.asarray(data[column.column].isel(chosen).values, np.float64)
        if values.shape != (len(times),):
            raise UsageError(f"{path}: {column.column} is no series of the time alone, its shape is {values.shape}")
        records.values[quantity] = values.tolist()
    return records
