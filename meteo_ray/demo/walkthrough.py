"""The whole system on drawn data: every job with the command that a user would type, one after the other.

A step that ended well is not repeated, so an interrupted walk goes on where it stopped.
"""

import logging
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meteo_ray.bundle import read_json, write_json
from meteo_ray.demo.config import RunDemoJob
from meteo_ray.errors import UsageError

logger = logging.getLogger("meteo_ray")

JOBS = Path(__file__).resolve().parents[2] / "jobs"


@dataclass(frozen=True)
class Step:
    """One job and its arguments."""

    title: str
    job: str
    arguments: tuple[str, ...]

    @property
    def command(self) -> list[str]:
        return [sys.executable, str(JOBS / f"{self.job}.py"), *self.arguments]

    @property
    def shown(self) -> str:
        """The command as a user would type it."""
        return shlex.join(["python", f"jobs/{self.job}.py", *self.arguments])


def steps(job: RunDemoJob) -> list[Step]:
    """The commands of the walk, in order; everything lies under `job.out`."""
    out = job.out
    data, models, archive = str(out / "data"), str(out / "models"), str(out / "archive")
    folders = ("--data", data, "--models", models)
    base = ("--products.base-model", str(out / "base"))
    drawn = ("--charts", str(job.charts), "--others", str(job.others), "--seed", str(job.seed))
    looks = ("--offices", "1", "--habit", "0.98")  # one office's charts: what two cores can learn in minutes
    fresh = ("--archive", archive, "--archive-count", str(job.archive_count))
    return [
        Step("draw the data set and an archive", "make_demo_data", ("--out", data, *drawn, *looks, *fresh)),
        Step("prepare the data", "prepare_data", ("--data", data, "--split-by", "random")),
        Step("make a small stand-in for Gemma", "make_small_base", ("--out", str(out / "base"))),
        Step("train the gate", "train_gate", (*_settings("gate"), *folders)),
        Step("train the elements", "train_elements", (*_settings("elements"), *folders)),
        Step("train the products", "train_products", (*_settings("products"), *folders, *base)),
        Step(
            "evaluate on the test split",
            "evaluate",
            (
                *_settings("evaluate"),
                *folders,
                "--out",
                str(out / "metrics.json"),
                "--report",
                str(out / "evaluation.html"),
            ),
        ),
        Step(
            "classify the archive",
            "classify_archive",
            ("--archive", archive, "--models", models, "--out", str(out / "out"), "--overwrite"),
        ),
    ]


def _settings(name: str) -> tuple[str, str]:
    """The flag that gives a job's demo settings: small inputs and few epochs, so that two cores are enough."""
    return "--config", str(JOBS / "demo" / f"{name}.yaml")


def run_demo(job: RunDemoJob) -> None:
    """Run the steps from the first that has not ended well yet, then print the table.

    Raises:
        UsageError: naming the step that failed and the command to repeat it alone.
    """
    job.out.mkdir(parents=True, exist_ok=True)
    done_path = job.out / "steps.json"
    before: dict[str, float] = read_json(done_path) if done_path.is_file() else {}
    done: dict[str, float] = {}
    walk = steps(job)
    for number, step in enumerate(walk, start=1):
        if step.shown in before and len(done) == number - 1:
            logger.info("[%d/%d] %s: already done", number, len(walk), step.title)
            done[step.shown] = before[step.shown]
            continue
        logger.info("[%d/%d] %s\n  $ %s", number, len(walk), step.title, step.shown)
        before = {}  # what follows a step that runs anew is out of date
        done[step.shown] = _run(step)
        write_json(done_path, done)
    print(summary(job.out, done))


def _run(step: Step) -> float:
    """Seconds that the step took."""
    started = time.monotonic()
    status = subprocess.run(step.command, check=False).returncode
    if status != 0:
        raise UsageError(f"{step.title} ended with status {status}; to repeat only this step:\n  {step.shown}")
    return time.monotonic() - started


def summary(out: Path, seconds: dict[str, float]) -> str:
    """The demo's closing table: what each stage reached on the test split, and what the archive held."""
    metrics, archive = read_json(out / "metrics.json"), read_json(out / "out" / "summary.json")
    lines = ["", f"{'stage':<10} {'metric':<34} {'test split':>10}", "-" * 56]
    for stage, name, key in _TABLE:
        value = _value(metrics, stage, key)
        if value is not None:
            lines.append(f"{stage:<10} {name:<34} {value:>10.3f}")
    counts = ", ".join(f"{count} {status}" for status, count in archive["status"].items())
    lines += ["-" * 56, f"archive: {archive['rows']} files ({counts})"]
    lines.append(f"all steps: {sum(seconds.values()) / 60:.1f} minutes")
    return "\n".join([*lines, f"evaluation: {out / 'evaluation.html'}", f"report: {out / 'out' / 'report.html'}"])


_TABLE = (
    ("gate", "AUC", "auc"),
    ("gate", "F1", "f1"),
    ("elements", "mAP", "map"),
    ("elements", "micro-F1", "micro_f1"),
    ("products", "top-1 among candidates", "top1"),
    ("products", "  chance among candidates", "chance"),
    ("products", "  top-5", "top5"),
    ("cascade", "charts with the right product", "product_accuracy"),
)


def _value(metrics: dict[str, Any], stage: str, key: str) -> float | None:
    value = metrics.get(stage, {}).get(key)
    return float(value) if isinstance(value, (int, float)) else None
