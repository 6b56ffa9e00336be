"""The whole system on drawn data: every job with the command that a user would type, one after the other."""

from pathlib import Path
from typing import Any

from meteo_ray.demo.config import RunDemoJob
from meteo_ray.evaluation.config import END_TO_END
from meteo_ray.files import read_json
from meteo_ray.stages import STAGES
from meteo_ray.walk import Step, run_steps

# One office's charts: what two cores can learn in minutes.
LOOKS = ("--offices", "1", "--habit", "0.98")


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
    """Walk through all steps, then print the table; `jobs` is the folder of the jobs.

    Raises:
        UsageError: naming the step that failed and the command to repeat it alone.
    """
    seconds = run_steps(steps(job, jobs), job.out, jobs)
    print(summary(job.out, seconds))


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
