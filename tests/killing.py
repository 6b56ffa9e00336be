"""A training that is killed on its way, in the middle of what it does, as a power cut would."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any


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
