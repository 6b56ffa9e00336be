"""Small station files, and the public ones where they are there."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from meteo_ray import bundle
from meteo_ray.forecast.bundle import write_bundle
from meteo_ray.forecast.config import ForecastTraining
from meteo_ray.forecast.inputs import chosen, split_of
from meteo_ray.forecast.series.panel import Panel, to_table
from meteo_ray.forecast.series.reading import read_panel
from meteo_ray.forecast.series.source import load_source
from meteo_ray.forecast.task import ForecastTask
from tests.conftest import ROOT


@pytest.fixture(scope="session")
def station_files() -> Path:
    """The folder of the public station files; the test is skipped where it is absent."""
    default = ROOT.parent / "shared" / "forecast_data"
    folder = Path(os.environ.get("METEO_RAY_FORECAST_DATA", default)) / "station"
    if not (folder / "DailyDelhiClimateTrain.csv").is_file():
        pytest.skip("no station files here (METEO_RAY_FORECAST_DATA)")
    return folder


def made_panel(stations: int = 1, days: int = 900, seed: int = 0) -> Panel:
    """Temperature and pressure: a year's wave, an anomaly that halves every day, pressure leading by a day."""
    rng = np.random.default_rng(seed)
    time = np.arange("2001-01-01", np.datetime64("2001-01-01") + days, dtype="datetime64[D]")
    noise = rng.normal(size=(2, stations, days))
    temperature, pressure = np.zeros((stations, days)), noise[1]
    for day in range(1, days):
        temperature[:, day] = 0.5 * temperature[:, day - 1] - pressure[:, day - 1] + noise[0, :, day]
    wave = 10 * np.sin(2 * np.pi * np.arange(days) / 365.2425)
    values = np.stack([temperature + wave + 12, 1013 + 5 * pressure], axis=-1)
    places = np.stack([np.linspace(45, 55, stations), np.linspace(5, 15, stations)], axis=-1)
    names = tuple(f"S{number}" for number in range(stations))
    return Panel(time, names, ("air_temperature", "air_pressure"), values, places)


def write_models(folder: Path, source: Path, panel: Panel | None = None, **changes) -> Path:
    """Bundle of an untrained network for the station files beside `source`; its task's splits are those of `panel`."""
    described = load_source(str(source))
    small = {"hidden": 4, "lookback": 7, "source": str(source), **changes}
    settings = ForecastTraining(**small)
    panel = chosen(panel or read_panel(described, source.parent)[0], settings)
    torch.manual_seed(0)
    document = described.model_dump(mode="json")
    task = ForecastTask(settings, to_table(panel, split_of(panel, settings.split)), document, 0)
    with bundle.writing(folder / "forecast") as scratch:
        write_bundle(scratch, task.build(), settings, task.windows, document, task.taught)
    return folder
