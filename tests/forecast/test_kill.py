"""A forecast's training that is killed and started again ends like one that was left alone (the real job)."""

import sys
from functools import partial
from pathlib import Path

import pytest

from meteo_ray.demo.made_series import write_series
from tests.conftest import ROOT
from tests.killing import assert_killed_ends_like_whole

EPOCHS = 30


def train(stations: Path, models: Path) -> list[str]:
    flags = ["--forecast.source", stations / "source.yaml", "--forecast.epochs", EPOCHS, "--training.patience", 0]
    folders = ["--data", stations, "--models", models]
    return [sys.executable, *map(str, [ROOT / "jobs" / "train_forecast.py", *folders, *flags])]


@pytest.mark.slow
def test_killed_and_started_again_it_ends_the_same(tmp_path: Path) -> None:
    write_series(tmp_path / "data", days=600, seed=0)
    measures = ("train/loss", "validation/mse", "validation/crps")
    assert_killed_ends_like_whole(partial(train, tmp_path / "data"), tmp_path, EPOCHS, measures)
