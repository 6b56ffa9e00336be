"""`make demo`: an archive classified at once by the models that come with the package, then the loop once around.

Where this copy of the package has no models, the archive waits for those of the short trainings.
"""

from functools import partial
from pathlib import Path

from meteo_ray.demo.archive_table import TRUTH, answered
from meteo_ray.demo.config import RunDemoJob
from meteo_ray.judging.starter import STARTER
from meteo_ray.stages import STAGES
from meteo_ray.walk import Step

# Two cores draw 18 images a second, train on 40 a second and read a chart's page in one: two minutes of the five.
CHARTS, OTHERS, ARCHIVED = 220, 140, 40

# Not that of `BuildStarterJob`: the labelled images would be some that the package's models have learnt.
SEED = 1


def models_come_along() -> bool:
    """Whether an archive can be classified before anything is trained."""
    return STARTER.is_dir()


def short_steps(job: RunDemoJob, jobs: Path) -> list[Step]:
    """The commands of the walk, in order; everything lies under `job.out`, the jobs and their settings in `jobs`."""
    out = job.out
    data, models, archive = str(out / "data"), str(out / "models"), str(out / "archive")
    folders = ("--data", data, "--models", models)
    seed = SEED if job.seed is None else job.seed
    drawn = ("--charts", str(job.charts or CHARTS), "--others", str(job.others or OTHERS), "--seed", str(seed))
    count = ("--archive-count", str(job.archive_count or ARCHIVED), "--archive-truth", str(out / TRUTH))
    fresh = ("--archive", archive, *count)
    scores = ("--out", str(out / "metrics.json"), "--report", str(out / "evaluation.html"))
    names = [stage.name for stage in STAGES if stage.demo is not None]
    classify = ("--archive", archive, "--out", str(out / "out"), "--text.mode", "page", "--overwrite")
    at_once = models_come_along()
    own = () if at_once else ("--models", models)
    # The closing table says the same, right after a classification that is the last step.
    tell = partial(answered, out, "the package's models") if at_once else None
    classified = Step("classify the archive", "classify_archive", (*classify, *own), tell)
    return [
        Step("draw an archive and labelled images", "make_demo_data", ("--out", data, *drawn, *fresh)),
        *([classified] if at_once else []),
        Step("prepare the images", "prepare_data", ("--data", data, "--split-by", "random")),
        Step("note what is written on them", "read_text", ("--data", data)),
        *(Step(f"train the {name}", f"train_{name}", (*_settings(jobs, name), *folders)) for name in names),
        Step("evaluate on the test split", "evaluate", (*folders, "--no-augmentation.enabled", *scores)),
        *([] if at_once else [classified]),
    ]


def _settings(jobs: Path, name: str) -> tuple[str, str]:
    return "--config", str(jobs / "demo" / "short" / f"{name}.yaml")
