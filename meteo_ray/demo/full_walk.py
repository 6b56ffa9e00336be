"""`make demo-full`: the three stages from nothing on one office's drawings, each long enough to be good at them."""

from pathlib import Path

from meteo_ray.demo.config import RunDemoJob
from meteo_ray.stages import STAGES
from meteo_ray.walk import Step

# One office's charts: what two cores can learn in minutes.
LOOKS = ("--offices", "1", "--habit", "0.98")

CHARTS, OTHERS, ARCHIVED = 1400, 1400, 120


def full_steps(job: RunDemoJob, jobs: Path) -> list[Step]:
    """The commands of the walk, in order; everything lies under `job.out`, the jobs and their settings in `jobs`."""
    out = job.out
    data, models, archive = str(out / "data"), str(out / "models"), str(out / "archive")
    folders = ("--data", data, "--models", models)
    drawn = ("--charts", str(job.charts or CHARTS), "--others", str(job.others or OTHERS), "--seed", str(job.seed or 0))
    fresh = ("--archive", archive, "--archive-count", str(job.archive_count or ARCHIVED))
    scores = ("--out", str(out / "metrics.json"), "--report", str(out / "evaluation.html"))
    found = ("--out", str(out / "out"), "--text.mode", "page", "--overwrite")
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
        Step("classify the archive", "classify_archive", ("--archive", archive, "--models", models, *found)),
    ]


def _settings(jobs: Path, name: str) -> tuple[str, str]:
    """The flag that gives a job's demo settings: small inputs and few epochs, so that two cores are enough."""
    return "--config", str(jobs / "demo" / f"{name}.yaml")
