"""The whole system on drawn data: every job with the command that a user would type, one after the other.

A step that ended well is not repeated, so an interrupted walk goes on where it stopped. The steps share one Ray, which
each of them would otherwise start and end for itself.
"""

import logging
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from meteo_ray.demo.config import RunDemoJob
from meteo_ray.errors import UsageError
from meteo_ray.evaluation.config import END_TO_END
from meteo_ray.files import read_json, write_json
from meteo_ray.stages import STAGES

logger = logging.getLogger("meteo_ray")

# One office's charts: what two cores can learn in minutes.
LOOKS = ("--offices", "1", "--habit", "0.98")

DONE = "steps.json"  # in the folder of the walk: seconds of every step that ended well, by its command


@dataclass(frozen=True)
class Step:
    """One job and its arguments."""

    title: str
    job: str
    arguments: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The command as a user would type it."""
        return shlex.join(["python", f"jobs/{self.job}.py", *self.arguments])


def steps(job: RunDemoJob, jobs: Path) -> list[Step]:
    """The commands of the walk, in order; everything lies under `job.out`, the jobs and their settings in `jobs`."""
    out = job.out
    data, models, archive = str(out / "data"), str(out / "models"), str(out / "archive")
    folders = ("--data", data, "--models", models)
    drawn = ("--charts", str(job.charts), "--others", str(job.others), "--seed", str(job.seed))
    fresh = ("--archive", archive, "--archive-count", str(job.archive_count))
    scores = ("--out", str(out / "metrics.json"), "--report", str(out / "evaluation.html"))
    answers = (
        "--archive",
        archive,
        "--models",
        models,
        "--out",
        str(out / "out"),
        "--text.mode",
        "page",
        "--overwrite",
    )
    shown = [(stage.name, stage.demo) for stage in STAGES if stage.demo is not None]
    return [
        Step("draw the data set and an archive", "make_demo_data", ("--out", data, *drawn, *LOOKS, *fresh)),
        Step("prepare the data", "prepare_data", ("--data", data, "--split-by", "random")),
        Step("note what is written on the images", "read_text", ("--data", data)),
        *(Step(before.title, before.job, before.arguments(out)) for _, demo in shown for before in demo.before),
        *(
            Step(f"train the {name}", f"train_{name}", (*_settings(jobs, name), *folders, *demo.flags(out)))
            for name, demo in shown
        ),
        Step("evaluate on the test split", "evaluate", (*_settings(jobs, "evaluate"), *folders, *scores)),
        Step("classify the archive", "classify_archive", answers),
    ]


def _settings(jobs: Path, name: str) -> tuple[str, str]:
    """The flag that gives a job's demo settings: small inputs and few epochs, so that two cores are enough."""
    return "--config", str(jobs / "demo" / f"{name}.yaml")


def run_demo(job: RunDemoJob, jobs: Path) -> None:
    """Run the steps from the first that has not ended well yet, then print the table; `jobs` is the folder of the jobs.

    Raises:
        UsageError: naming the step that failed and the command to repeat it alone.
    """
    job.out.mkdir(parents=True, exist_ok=True)
    walk = steps(job, jobs)
    done = _done_before(job.out / DONE, walk)
    for number, step in enumerate(walk[: len(done)], start=1):
        logger.info("[%d/%d] %s: already done", number, len(walk), step.title)
    if len(done) < len(walk):
        _run_rest(walk, done, job.out / DONE, jobs)
    print(summary(job.out, done))


def _done_before(path: Path, walk: Sequence[Step]) -> dict[str, float]:
    """Seconds of the first steps that ended well, by command; what follows one that must run is out of date."""
    before: dict[str, float] = read_json(path) if path.is_file() else {}
    return {step.shown: before[step.shown] for step in takewhile(lambda step: step.shown in before, walk)}


def _run_rest(walk: Sequence[Step], done: dict[str, float], path: Path, jobs: Path) -> None:
    """Run what is not done yet, and note it in `done` and in the file."""
    from meteo_ray import cluster  # takes seconds to import; --help should not

    with cluster.shared() as joined:
        for number, step in enumerate(walk[len(done) :], start=len(done) + 1):
            logger.info("[%d/%d] %s\n  $ %s", number, len(walk), step.title, step.shown)
            done[step.shown] = _run(step, jobs, joined)
            write_json(path, done)


def _run(step: Step, jobs: Path, joined: dict[str, str]) -> float:
    """Seconds that the step took; `joined` is how it finds its Ray."""
    started = time.monotonic()
    command = [sys.executable, str(jobs / f"{step.job}.py"), *step.arguments]
    status = subprocess.run(command, env={**os.environ, **joined}, check=False).returncode
    if status != 0:
        raise UsageError(f"{step.title} ended with status {status}; to repeat only this step:\n  {step.shown}")
    return time.monotonic() - started


def summary(out: Path, seconds: dict[str, float]) -> str:
    """The demo's closing table: what each stage reached on the test split, and what the archive held."""
    metrics, archive = read_json(out / "metrics.json"), read_json(out / "out" / "summary.json")
    lines = ["", f"{'stage':<10} {'metric':<34} {'test split':>10}", "-" * 56]
    for stage, name, key in _table():
        value = _value(metrics, stage, key)
        if value is not None:
            lines.append(f"{stage:<10} {name:<34} {value:>10.3f}")
    counts = ", ".join(f"{count} {status}" for status, count in archive["status"].items())
    lines += ["-" * 56, f"archive: {archive['rows']} files ({counts})"]
    lines.append(f"all steps: {sum(seconds.values()) / 60:.1f} minutes")
    return "\n".join([*lines, f"evaluation: {out / 'evaluation.html'}", f"report: {out / 'out' / 'report.html'}"])


def _table() -> list[tuple[str, str, str]]:
    """Stage, title and metric of every line; how the cascade ends stands at the end."""
    shown = [(stage.name, stage.demo) for stage in STAGES if stage.demo is not None]
    alone = [(name, title, key) for name, demo in shown for title, key in demo.table]
    return alone + [(END_TO_END, title, key) for _, demo in shown for title, key in demo.cascade_table]


def _value(metrics: dict[str, Any], stage: str, key: str) -> float | None:
    value = metrics.get(stage, {}).get(key)
    return float(value) if isinstance(value, (int, float)) else None
