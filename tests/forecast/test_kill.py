"""A forecast's training that is killed and started again ends like one that was left alone (the real job)."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from meteo_ray.demo.made_series import write_series
from tests.conftest import ROOT

EPOCHS = 30


def train(stations: Path, models: Path) -> list[str]:
    flags = ["--forecast.source", stations / "source.yaml", "--forecast.epochs", EPOCHS, "--training.patience", 0]
    folders = ["--data", stations, "--models", models]
    return [sys.executable, *map(str, [ROOT / "jobs" / "train_forecast.py", *folders, *flags])]


def epochs(models: Path) -> list[dict[str, Any]]:
    """Lines of the only run's metrics.jsonl; empty before the first epoch is done."""
    found = list(models.glob("runs/*/metrics.jsonl"))
    return [json.loads(line) for line in found[0].read_text("utf-8").splitlines()] if found else []


def kill_after_an_epoch(command: list[str], models: Path) -> None:
    running = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 300
    while not epochs(models):
        assert running.poll() is None, "the training ended before it was killed"
        assert time.monotonic() < deadline, "no epoch was finished"
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert len(epochs(models)) < EPOCHS


@pytest.mark.slow
def test_killed_and_started_again_it_ends_the_same(tmp_path: Path) -> None:
    write_series(tmp_path / "data", days=600, seed=0)
    subprocess.run(train(tmp_path / "data", tmp_path / "whole"), check=True)
    kill_after_an_epoch(train(tmp_path / "data", tmp_path / "killed"), tmp_path / "killed")
    subprocess.run(train(tmp_path / "data", tmp_path / "killed"), check=True)
    whole, killed = epochs(tmp_path / "whole"), epochs(tmp_path / "killed")
    assert [entry["epoch"] for entry in killed] == list(range(EPOCHS))
    for name in ("train/loss", "validation/mse", "validation/crps"):
        assert [entry[name] for entry in killed] == pytest.approx([entry[name] for entry in whole], abs=1e-4), name
