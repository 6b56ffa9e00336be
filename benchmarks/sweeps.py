"""python benchmarks/sweeps.py OUT [--trials 12] [--charts 80] [--others 20] [--cascade DEMO]

Does a sweep of the elements keep its word, on two cores in half an hour? Draws small data, makes a start with a frozen
phase, and
1. trains once plainly, for comparison;
2. sweeps, kills the sweep with -9 in a trial, and resumes it;
3. checks that finished trials were kept, that none ended before what it varies had acted, that the best is no worse
   than the default, and that the saved model classifies;
4. compares what a trial costs after the first with the plain training: target at most 1.1 times. Only full trials
   count; the machine must have nothing else to do.
With --cascade, the output folder of jobs/run_demo.py, it also sweeps the cascade there (nothing is written to it): the
best must beat the default on stored validation scores, and not lose on test.
Prints one line a check and a line of JSON; exit status 1 when a check failed. Time decides nothing.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import yaml
from optuna import Study, load_study
from optuna.trial import FrozenTrial, TrialState
from safetensors.torch import save_file

from meteo_ray.backbones import resnet
from meteo_ray.bundle import METRICS
from meteo_ray.files import read_json
from meteo_ray.tuning import study as memory

JOBS = Path(__file__).resolve().parent.parent / "jobs"

TARGET = 1.1

# One epoch frozen, one of warm-up and two to show: four of six, so that weak trials can be ended early.
SETTINGS: dict[str, Any] = {
    "training": {"batch_size": 16, "patience": 0},
    "elements": {
        "backbone": "resnet18",
        "input_size": [80, 60],
        "length_grouping": False,
        "frozen_epochs": 1,
        "frozen_warmup_epochs": 0,
        "full_epochs": 5,
        "warmup_epochs": 1,
        "augmentation": {"enabled": False},
    },
}
LEAST_EPOCHS = 4


def job(name: str, *arguments: Any) -> list[str]:
    return [sys.executable, str(JOBS / f"{name}.py"), *map(str, arguments)]


def prepare(out: Path, charts: int, others: int) -> tuple[Path, Path]:
    """Data and base config: as `init` a file of weights, which are random, but frozen at first like learnt ones."""
    data, base = out / "data", out / "base.yaml"
    if not (data / "index").is_dir():
        subprocess.run(job("make_demo_data", "--out", data, "--charts", charts, "--others", others), check=True)
        subprocess.run(job("prepare_data", "--data", data), check=True)
    torch.manual_seed(0)
    start = {name: tensor.contiguous() for name, tensor in resnet("resnet18").state_dict().items()}
    save_file(start, out / "start.safetensors")
    document = {**SETTINGS, "elements": {**SETTINGS["elements"], "init": str(out / "start.safetensors")}}
    base.write_text(yaml.safe_dump(document), "utf-8")
    return data, base


def study_in(folder: Path) -> Study | None:
    if not (folder / memory.JOURNAL).is_file():
        return None
    return load_study(study_name="elements", storage=memory.storage_of(folder))


def kill_after(command: list[str], folder: Path, finished: int) -> list[FrozenTrial]:
    """Start a sweep, kill it in the trial after so many finished ones; those come back."""
    running = subprocess.Popen(command, start_new_session=True)
    while running.poll() is None:
        time.sleep(1.0)
        study = study_in(folder)
        if study is not None and len(memory.tried(study)) >= finished and _in_a_trial(study, folder):
            os.kill(running.pid, signal.SIGKILL)
            running.wait()
            return memory.tried(study)
    raise SystemExit(f"the sweep ended with status {running.returncode} before it was killed")


def _in_a_trial(study: Study, folder: Path) -> bool:
    """Whether a trial has a checkpoint to go on from and has not ended."""
    trials = [trial for trial in study.trials if trial.state == TrialState.RUNNING]
    return any((folder / "trials" / memory.folder_of(trial) / "checkpoint").is_dir() for trial in trials)


def cost_of_a_trial(study: Study, epochs: int) -> float | None:
    """From the end of one trial to that of the next, which ran all epochs and in one piece: the median of seconds."""
    ended = [trial for trial in study.trials if trial.state.is_finished()]
    seconds = [
        (later.datetime_complete - earlier.datetime_complete).total_seconds()
        for earlier, later in pairwise(ended)
        if later.user_attrs.get("epochs") == epochs and later.user_attrs[memory.FOLDER] == f"{later.number:04d}"
        if not earlier.user_attrs.get(memory.CUT_OFF)
    ]
    return statistics.median(seconds) if seconds else None


def checks(study: Study, before: list[FrozenTrial], folder: Path, wanted: int) -> dict[str, bool]:
    default, best = memory.default_trial(study), memory.complete(study)[0]
    kept = {trial.number: trial.state for trial in before}
    metrics = read_json(folder / "models" / "elements" / METRICS)
    return {
        "finished trials were kept": all(study.trials[number].state == state for number, state in kept.items()),
        "as many trials as asked for": len(memory.tried(study)) == wanted,
        "none ended too soon": all(
            int(trial.user_attrs["epochs"]) >= LEAST_EPOCHS
            for trial in memory.tried(study)
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        ),
        "best no worse than default": default is not None and best.values[0] >= default.values[0],
        "a model was saved": metrics["run"] == f"tune-elements-{memory.folder_of(best)}",
    }


def classifies(data: Path, folder: Path) -> bool:
    """The saved bundle judges the test split in the evaluation job."""
    out = folder / "metrics.json"
    flags = ("--data", data, "--models", folder / "models", "--stage", "elements", "--out", out)
    subprocess.run(job("evaluate", *flags, "--bootstrap-rounds", 0, "--no-augmentation.enabled"), check=True)
    return read_json(out)["elements"]["micro_f1"] is not None


def cascade_checks(demo: Path, out: Path) -> dict[str, bool]:
    """A sweep of the demo's models on the demo's data; models are linked, pixels are kept in `out`."""
    (out / "models").mkdir(parents=True, exist_ok=True)
    for stage in ("gate", "elements", "products"):
        link = out / "models" / stage
        if not link.is_symlink():
            link.symlink_to(demo / "models" / stage)
    (out / "base.yaml").write_text(yaml.safe_dump({"cache": str(out / "cache")}), "utf-8")
    flags = ("--space", "cascade", "--data", demo / "data", "--models", out / "models", "--base", out / "base.yaml")
    subprocess.run(job("tune", *flags, "--trials", 1000, "--overwrite"), check=True)
    folder = out / "models" / "tune" / "cascade"
    told = read_json(folder / "checks.json")
    print(json.dumps(told))
    real = {check["split"]: check["chosen"] - check["default"] for check in told["real"]}
    return {
        "cascade: better than the default on stored scores": told["stored"]["chosen"] is not None,
        "cascade: better on validation, judged anew": real["validation"] > 0,
        "cascade: not worse on test": real["test"] >= 0,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--charts", type=int, default=80)
    parser.add_argument("--others", type=int, default=20)
    parser.add_argument("--cascade", type=Path)
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    data, base = prepare(out, arguments.charts, arguments.others)
    started = time.monotonic()
    flags = ("--config", base, "--data", data, "--models", out / "plain", "--fresh", "--no-elements.text")
    subprocess.run(job("train_elements", *flags, "--no-elements.descriptors"), check=True)
    plain = time.monotonic() - started
    folder = out / "models" / "tune" / "elements"
    command = job("tune", "--space", "elements", "--data", data, "--models", out / "models", "--base", base)
    command += ["--trials", str(arguments.trials)]
    before = kill_after([*command, "--overwrite"], folder, finished=3)
    subprocess.run([*command, "--resume"], check=True)
    study = study_in(folder)
    assert study is not None
    found = {**checks(study, before, folder, arguments.trials), "the model classifies": classifies(data, folder)}
    epochs = SETTINGS["elements"]["frozen_epochs"] + SETTINGS["elements"]["full_epochs"]
    trial = cost_of_a_trial(study, epochs)
    if arguments.cascade is not None:
        found |= cascade_checks(arguments.cascade.resolve(), out / "cascade")
    for name, held in found.items():
        print(f"{'ok  ' if held else 'FAIL'} {name}")
    ratio = None if trial is None else trial / plain
    print(f"a plain training {plain:.1f} s, a trial after the first {trial} s, ratio {ratio} (target {TARGET})")
    print(json.dumps({"plain_s": plain, "trial_s": trial, "ratio": ratio, "checks": found}))
    return 0 if all(found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
