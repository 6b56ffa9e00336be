"""Small radar events, and the real ones where they are there."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from meteo_ray import bundle
from meteo_ray.demo.made_radar import write_events
from meteo_ray.nowcast.bundle import write_bundle
from meteo_ray.nowcast.config import NowcastTraining
from meteo_ray.nowcast.models.forecaster import Forecaster
from meteo_ray.nowcast.radar.events import by_split, read_frames, with_splits
from meteo_ray.nowcast.radar.fields import RadarFields
from tests.conftest import ROOT

SETTINGS = NowcastTraining(leads=3, crop=16, crops=2, hidden=(4,), stride=2, epochs=2)


@pytest.fixture(scope="session")
def radar_files() -> Path:
    """The folder of real radar events; the test is skipped where it is absent."""
    default = ROOT.parent / "shared" / "forecast_data"
    folder = Path(os.environ.get("METEO_RAY_FORECAST_DATA", default)) / "radar"
    if not (folder / "mch").is_dir():
        pytest.skip("no radar files here (METEO_RAY_FORECAST_DATA)")
    return folder


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """Three invented events of ten frames, 64 km wide."""
    folder = tmp_path_factory.mktemp("radar")
    write_events(folder, events=3, frames=10, side=64, seed=0)
    return folder


@pytest.fixture(scope="session")
def fields(made, tmp_path_factory) -> RadarFields:
    return RadarFields(made, read_frames(made), 2.0, tmp_path_factory.mktemp("cache"))


def write_untrained(models: Path, data: Path) -> Path:
    """A bundle of an untrained network in `models`, as a training on `data` writes it."""
    torch.manual_seed(0)
    events = by_split(with_splits(read_frames(data), (), ()))
    with bundle.writing(models / "nowcast") as scratch:
        write_bundle(scratch, Forecaster(SETTINGS), SETTINGS, events)
    return models


def moving_blob(frames: int, side: int = 48, step: tuple[int, int] = (1, 2)) -> np.ndarray:
    """A shower that moves by `step` squares (down, right) a frame, mm/h `(frames, side, side)`."""
    rows, columns = np.mgrid[:side, :side]
    found = []
    for frame in range(frames):
        y, x = 14 + frame * step[0], 10 + frame * step[1]
        blob = 12 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 30.0)
        blob += 6 * np.exp(-((rows - y - 9) ** 2 + (columns - x - 7) ** 2) / 12.0)
        found.append(np.where(blob < 0.1, 0, blob))
    return np.stack(found).astype(np.float32)
