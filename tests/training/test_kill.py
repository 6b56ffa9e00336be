"""A training that is killed and started again ends like one that was left alone (whole processes, the real job)."""

import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.killing import assert_killed_ends_like_whole, epochs
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
    measures = ("steps", "train/loss", "validation/loss", "validation/auc")
    assert_killed_ends_like_whole(partial(train, data), tmp_path, EPOCHS, measures, INTO_THE_EPOCH_S)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_stopped_says_what_is_kept(tmp_path: Path, sent: signal.Signals) -> None:
    """Ray takes Ctrl-C for itself then, and would end the process without a word; SIGTERM with a native stack."""
    data, models = tmp_path / "data", tmp_path / "models"
    write_index(data, picture_index(data, PER_SPLIT))
    running = subprocess.Popen(
        train(data, models),
        stderr=subprocess.PIPE,
        text=True,
        # A process that a script starts in the background inherits that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while not epochs(models):
        assert running.poll() is None, "the training ended before it was interrupted"
        time.sleep(0.02)
    running.send_signal(sent)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 130
    assert said.endswith("interrupted; what was finished is kept\n")
    assert "Traceback" not in said
    assert "***" not in said
