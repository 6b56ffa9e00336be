"""A forecast's training that is killed and started again ends like one that was left alone (the real job)."""

import subprocess
import sys
from pathlib import Path

import pytest

from meteo_ray.demo.made_series import write_series
from tests.conftest import ROOT
from tests.killing import epochs, kill_after_an_epoch

EPOCHS = 30


def train(stations: Path, models: Path) -> list[str]:
    flags = ["--forecast.source", stations / "source.yaml", "--forecast.epochs", EPOCHS, "--training.patience", 0]
    folders = ["--data", stations, "--models", models]
    return [sys.executable, *map(str, [ROOT / "jobs" / "train_forecast.py", *folders, *flags])]


@pytest.mark.slow
def test_killed_and_started_again_it_ends_the_same(tmp_path: Path) -> None:
    write_series(tmp_path / "data", days=600, seed=0)
    subprocess.run(train(tmp_path / "data", tmp_path / "whole"), check=True)
    kill_after_an_epoch(train(tmp_path / "data", tmp_path / "killed"), tmp_path / "killed", EPOCHS)
    subprocess.run(train(tmp_path / "data", tmp_path / "killed"), check=True)
    whole, killed = epochs(tmp_path / "whole"), epochs(tmp_path / "killed")
    assert [entry["epoch"] for entry in killed] == list(range(EPOCHS))
    for name in ("train/loss", "validation/mse", "validation/crps"):
        assert [entry[name] for entry in killed] == pytest.approx([entry[name] for entry in whole], abs=1e-4), name
