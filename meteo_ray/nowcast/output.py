"""Nowcasts as files: NetCDF with the fields, CSV with what people ask first, by lead."""

import csv
import io
from pathlib import Path

import numpy as np

from meteo_ray.files import write_atomically
from meteo_ray.nowcast.config import THRESHOLDS
from meteo_ray.nowcast.predictor import Nowcast

NETCDF, CSV, STRIP, ANIMATION = "nowcast.nc", "nowcast.csv", "nowcast.png", "nowcast.gif"


def write_netcdf(path: Path, found: Nowcast, known: np.datetime64, grid_km: float, history: str) -> None:
    """Fields by lead with their units (CF conventions); x and y in km from the upper left corner."""
    import xarray as xr

    leads, rows, columns = found.rain.shape
    axes = ("lead", "y", "x")
    rate = {"units": "mm h-1", "standard_name": "rainfall_rate"}
    chance = {"units": "1", "long_name": "likelihood of rain at or above the threshold"}
    data = xr.Dataset(
        {
            "rain": (axes, found.rain, rate),
            "extrapolation": (axes, found.sharp, {**rate, "long_name": "Lucas-Kanade extrapolation"}),
            "likelihood": (("lead", "threshold", "y", "x"), found.chances, chance),
        },
        {
            "lead": ("lead", 5 * np.arange(1, leads + 1, dtype=np.int32), {"units": "minutes"}),
            "threshold": ("threshold", list(THRESHOLDS), {"units": "mm h-1"}),
            "y": ("y", (np.arange(rows) + 0.5) * grid_km, {"units": "km", "long_name": "from the north"}),
            "x": ("x", (np.arange(columns) + 0.5) * grid_km, {"units": "km", "long_name": "from the west"}),
            "known_until": ((), known.astype("datetime64[ns]")),
        },
        {"Conventions": "CF-1.8", "history": history},
    )
    scratch = path.with_name(f".{path.name}")
    compressed = {name: {"zlib": True} for name in data.data_vars}
    data.to_netcdf(scratch, engine="h5netcdf", encoding=compressed)
    scratch.replace(path)


def write_csv(path: Path, found: Nowcast, known: np.datetime64) -> None:
    """A row a lead: time, mean and highest rain, shares of the seen area at or above each threshold."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    shares = [f"share_from_{threshold:g}_mm_h" for threshold in THRESHOLDS]
    writer.writerow(["known_until", "time", "lead_minutes", "mean_mm_h", "highest_mm_h", *shares])
    for lead, field in enumerate(found.rain, start=1):
        seen = field[np.isfinite(field)]
        if len(seen):
            above = [f"{(seen >= threshold).mean():.5f}" for threshold in THRESHOLDS]
            time = known + np.timedelta64(5 * lead, "m")
            writer.writerow([known, time, 5 * lead, f"{seen.mean():.4f}", f"{seen.max():.2f}", *above])
    write_atomically(path, text.getvalue())
