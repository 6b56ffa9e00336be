"""A training that is killed on its way, in the middle of what it does, as a power cut would."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest


def epochs(models: Path) -> list[dict[str, Any]]:
    """Lines of the only run's metrics.jsonl; empty before the first epoch is done."""
    found = list(models.glob("runs/*/metrics.jsonl"))
    return [json.loads(line) for line in found[0].read_text("utf-8").splitlines()] if found else []


def kill_after_an_epoch(command: list[str], models: Path, of: int, later_s: float = 0.0) -> None:
    """Start a training of `of` epochs and kill it so many seconds after its first one, before it is done."""
    running = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 300
    while not epochs(models):
        assert running.poll() is None, "the training ended before it was killed"
        assert time.monotonic() < deadline, "no epoch was finished"
        time.sleep(0.02)
    time.sleep(later_s)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert len(epochs(models)) < of


def assert_killed_ends_like_whole(
    train: Callable[[Path], list[str]], folder: Path, of: int, measures: Sequence[str], later_s: float = 0.0
) -> None:
    """Train into one folder in one go, and into another killed and started again: every epoch's measures are equal.

    `train` gives the command for a model folder; `of` and `later_s` as of `kill_after_an_epoch`.
    """
    whole, killed = folder / "whole", folder / "killed"
    subprocess.run(train(whole), check=True)
    kill_after_an_epoch(train(killed), killed, of, later_s)
    subprocess.run(train(killed), check=True)
    assert [entry["epoch"] for entry in epochs(killed)] == list(range(of))
    for name in measures:
        left_alone = [entry[name] for entry in epochs(whole)]
        assert [entry[name] for entry in epochs(killed)] == pytest.approx(left_alone, abs=1e-4), name
