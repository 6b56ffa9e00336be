"""The whole system on drawn data: every job with the command that a user would type, one after the other."""

import logging
from pathlib import Path
from typing import Any

from meteo_ray.demo.archive_table import answered, archive_line
from meteo_ray.demo.config import RunDemoJob
from meteo_ray.demo.full_walk import full_steps
from meteo_ray.demo.short_walk import models_come_along, short_steps
from meteo_ray.evaluation.config import END_TO_END
from meteo_ray.files import read_json
from meteo_ray.stages import STAGES
from meteo_ray.walk import Step, require_same_walk, run_steps

logger = logging.getLogger("meteo_ray")


def steps(job: RunDemoJob, jobs: Path) -> list[Step]:
    """The commands of the walk that `job` wants; `jobs` is the folder of the jobs and their settings."""
    return full_steps(job, jobs) if job.full else short_steps(job, jobs)


def run_demo(job: RunDemoJob, jobs: Path) -> None:
    """Walk through all steps, then print the table; `jobs` is the folder of the jobs.

    Raises:
        UsageError: naming the step that failed and the command to repeat it alone, or why the folder cannot be used.
    """
    if not job.full and not models_come_along():
        logger.info("this copy of meteo_ray comes without models: those trained here classify the archive at the end")
    walk = steps(job, jobs)
    require_same_walk(walk, job.out)
    seconds = run_steps(walk, job.out, jobs)
    print(summary(job, seconds))


def summary(job: RunDemoJob, seconds: dict[str, float]) -> str:
    """The demo's closing table: what each stage reached on the test split, and what came of the archive."""
    out, metrics = job.out, read_json(job.out / "metrics.json")
    lines = ["", f"{'stage':<10} {'metric':<34} {'test split':>10}", "-" * 56]
    for stage, name, key in _table():
        value = _value(metrics, stage, key)
        if value is not None:
            lines.append(f"{stage:<10} {name:<34} {value:>10.3f}")
    lines.append("-" * 56)
    if job.full:
        lines.append(archive_line(out))
    else:
        whose = "the package's models" if models_come_along() else "the models trained here"
        lines = [answered(out, whose), "the models trained here", *lines[1:]]
        lines.append("few epochs on few images: make demo-full trains until the stages are good at what they are shown")
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
