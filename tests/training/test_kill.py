"""A training that is killed and started again ends like one that was left alone (whole processes, the real job)."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.killing import epochs, kill_after_an_epoch
from tests.pictures import picture_index, write_index

EPOCHS = 3

# 200 rows an epoch take some seconds; half a second after one epoch's line the next is under way.
PER_SPLIT = 100
INTO_THE_EPOCH_S = 0.5

FLAGS = ("--gate.init", "none", "--gate.input-size", "[80,60]", "--gate.full-epochs", str(EPOCHS))
LOOP_FLAGS = ("--training.patience", "0", "--training.batch-size", "4", "--training.torch-threads", "1")


def job(name: str, *arguments: Any) -> list[str]:
    return [sys.executable, str(ROOT / "jobs" / f"{name}.py"), *map(str, arguments)]


def train(data: Path, models: Path) -> list[str]:
    return job("train_gate", "--data", data, "--models", models, *FLAGS, *LOOP_FLAGS)


@pytest.mark.slow
def test_killed_and_started_again_it_ends_the_same(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_index(data, picture_index(data, PER_SPLIT))
    subprocess.run(train(data, tmp_path / "whole"), check=True)
    kill_after_an_epoch(train(data, tmp_path / "killed"), tmp_path / "killed", EPOCHS, INTO_THE_EPOCH_S)
    subprocess.run(train(data, tmp_path / "killed"), check=True)
    whole, killed = epochs(tmp_path / "whole"), epochs(tmp_path / "killed")
    assert [entry["steps"] for entry in killed] == [entry["steps"] for entry in whole]
    for name in ("train/loss", "validation/loss", "validation/auc"):
        assert [entry[name] for entry in killed] == pytest.approx([entry[name] for entry in whole], abs=1e-4), name
