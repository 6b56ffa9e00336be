"""Forecasts as files: CSV for people and tables, NetCDF with units for programs."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from meteo_ray.files import write_atomically
from meteo_ray.forecast.config import LEVELS
from meteo_ray.forecast.predictor import Forecasts
from meteo_ray.forecast.series.panel import Panel
from meteo_ray.forecast.series.quantities import QUANTITIES

if TYPE_CHECKING:
    import xarray as xr

CSV, NETCDF = "forecast.csv", "forecast.nc"


def write_csv(path: Path, panel: Panel, targets: tuple[str, ...], forecasts: Forecasts) -> None:
    """A row for every station, last known day, lead and target: the forecast, its quantiles, its unit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    levels = [f"q{level:.2f}" for level in LEVELS]
    writer.writerow(["station", "known_until", "day", "lead_days", "quantity", "unit", "forecast", *levels])
    for (row, station, lead, target), value in np.ndenumerate(forecasts.point):
        known = panel.days[forecasts.origins[row]]
        quantiles = forecasts.quantiles[row, station, lead, target]
        head = [panel.stations[station], known, known + lead + 1, lead + 1]
        name = targets[target]
        writer.writerow([*head, name, QUANTITIES[name].unit, f"{value:.6g}", *(f"{q:.6g}" for q in quantiles)])
    write_atomically(path, text.getvalue())


def to_dataset(panel: Panel, targets: tuple[str, ...], forecasts: Forecasts, history: str) -> "xr.Dataset":
    """One variable and one with quantiles for every target, units as attributes (CF conventions)."""
    import xarray as xr

    known = panel.days[forecasts.origins].astype("datetime64[ns]")
    leads = np.arange(1, forecasts.point.shape[2] + 1, dtype=np.int32)
    coordinates = {
        "known_until": ("known_until", known, {"long_name": "last day that was known"}),
        "station": ("station", list(panel.stations)),
        "lead": ("lead", leads, {"long_name": "days ahead", "units": "1"}),
        "level": ("level", list(LEVELS), {"long_name": "probability level of a quantile", "units": "1"}),
        "latitude": ("station", panel.places[:, 0], {"units": "degrees_north"}),
        "longitude": ("station", panel.places[:, 1], {"units": "degrees_east"}),
    }
    axes = ("known_until", "station", "lead")
    variables: dict[str, Any] = {}
    for number, name in enumerate(targets):
        attributes = {"units": QUANTITIES[name].unit, "standard_name": name}
        variables[name] = (axes, forecasts.point[..., number].astype(np.float32), attributes)
        quantiles = forecasts.quantiles[..., number, :].astype(np.float32)
        variables[f"{name}_quantile"] = ((*axes, "level"), quantiles, {"units": QUANTITIES[name].unit})
    return xr.Dataset(variables, coordinates, {"Conventions": "CF-1.8", "history": history})


def write_netcdf(path: Path, panel: Panel, targets: tuple[str, ...], forecasts: Forecasts, history: str) -> None:
    """Written beside the place and renamed."""
    scratch = path.with_name(f".{path.name}")
    to_dataset(panel, targets, forecasts, history).to_netcdf(scratch, engine="h5netcdf")
    scratch.replace(path)
