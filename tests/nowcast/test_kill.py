"""A nowcast's training that is killed and started again ends like one that was left alone (the real job)."""

import sys
from functools import partial
from pathlib import Path

import pytest

from meteo_ray.demo.made_radar import write_events
from tests.conftest import ROOT
from tests.killing import assert_killed_ends_like_whole

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
    measures = ("train/loss", "validation/mse", "validation/brier")
    assert_killed_ends_like_whole(partial(train, data), tmp_path, EPOCHS, measures)
