"""A nowcast's training that is killed and started again ends like one that was left alone (the real job)."""

import subprocess
import sys
from pathlib import Path

import pytest

from meteo_ray.demo.made_radar import write_events
from tests.conftest import ROOT
from tests.killing import epochs, kill_after_an_epoch

pytest.importorskip("pysteps", reason="the extra `radar` is not installed")

EPOCHS = 30


def train(radar: Path, models: Path) -> list[str]:
    small = ["--nowcast.leads", 3, "--nowcast.crop", 16, "--nowcast.hidden", "[4]", "--nowcast.epochs", EPOCHS]
    flags = ["--data", radar, "--models", models, "--cache", radar.parent / "cache", "--training.patience", 0, *small]
    return [sys.executable, *map(str, [ROOT / "jobs" / "train_nowcast.py", *flags])]


@pytest.mark.slow
def test_killed_and_started_again_it_ends_the_same(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_events(data, events=3, frames=10, side=64, seed=0)
    subprocess.run(train(data, tmp_path / "whole"), check=True)
    kill_after_an_epoch(train(data, tmp_path / "killed"), tmp_path / "killed", EPOCHS)
    subprocess.run(train(data, tmp_path / "killed"), check=True)
    whole, killed = epochs(tmp_path / "whole"), epochs(tmp_path / "killed")
    assert [entry["epoch"] for entry in killed] == list(range(EPOCHS))
    for name in ("train/loss", "validation/mse", "validation/brier"):
        assert [entry[name] for entry in killed] == pytest.approx([entry[name] for entry in whole], abs=1e-4), name
