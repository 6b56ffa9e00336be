"""Ctrl-C while trials run ends the sweep: a whole process, the real job."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from optuna import load_study

from meteo_ray.tuning import study as memory
from tests.conftest import ROOT
from tests.pictures import picture_index, write_index

EPOCHS = 30

BASE = {
    "gate": {"init": "none", "input_size": [80, 60], "full_epochs": EPOCHS, "augmentation": {"enabled": False}},
    "training": {"batch_size": 16, "patience": 0, "torch_threads": 1},
}


@pytest.mark.slow
def test_it_saves_nothing_and_leaves_what_can_go_on(tmp_path: Path) -> None:
    """Ray Tune takes the signal for itself: the sweep would go on as if its time were up, and save a model."""
    data, models, base = tmp_path / "data", tmp_path / "models", tmp_path / "base.yaml"
    write_index(data, picture_index(data, 20))
    base.write_text(yaml.safe_dump(BASE))
    flags = ("--space", "gate", "--data", data, "--models", models, "--base", base, "--trials", "2")
    running = subprocess.Popen(
        [sys.executable, str(ROOT / "jobs" / "tune.py"), *map(str, flags)],
        stderr=subprocess.PIPE,
        text=True,
        # A process that a script starts in the background inherits that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    folder = models / "tune" / "gate"
    while not (folder / "trials" / "0000" / "checkpoint").is_dir():
        assert running.poll() is None, running.communicate()[1]
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 130
    assert said.endswith("interrupted; what was finished is kept\n")
    assert not (folder / "models").exists()
    study = load_study(study_name="gate", storage=memory.storage_of(folder))
    assert [trial.user_attrs.get(memory.WHY) for trial in study.trials if trial.params] == [memory.INTERRUPTED]
    assert (folder / "trials" / "0000" / "checkpoint").is_dir()
