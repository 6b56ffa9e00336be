"""The starter models: drawn, trained by the project's own recipes, scored, made small, described."""

from pathlib import Path
from tempfile import TemporaryFile

from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.files import read_json, write_atomically
from meteo_ray.starter.card import card
from meteo_ray.starter.compact import write_compact
from meteo_ray.starter.config import BuildStarterJob
from meteo_ray.walk import Step, require_same_walk, run_steps

# In the order of the cascade, as the products learn from what the elements answer.
STAGES = ("gate", "elements", "products")

CARD = "MODEL_CARD.md"


def steps(job: BuildStarterJob, jobs: Path) -> list[Step]:
    """The commands, in order; everything lies under `job.work`, the jobs and their settings in `jobs`."""
    drawn, models = str(job.work / "drawn"), str(job.work / "models")
    seed = ("--seed", str(job.seed))
    wanted = ("--charts", str(job.charts), "--others", str(job.others), *seed)
    # Their own test split says little about real images, so nearly all drawings train.
    fractions = ("--fractions.train", "0.9", "--fractions.validation", "0.05", "--fractions.test", "0.05")
    folders = ("--data", drawn, "--models", models)
    configs = {
        "gate": job.gate_config or jobs / "gate_from_scratch" / "pretrain.yaml",
        "elements": job.elements_config or jobs / "elements_from_scratch" / "pretrain.yaml",
    }
    flags = {name: ("--config", str(path)) for name, path in configs.items()}
    flags["products"] = ("--products.base-model", "none")
    scores = ("--no-augmentation.enabled", "--out", str(job.work / "metrics.json"))
    return [
        Step("draw", "make_demo_data", ("--out", drawn, *wanted)),
        Step("prepare the drawings", "prepare_data", ("--data", drawn, *fractions)),
        Step("note what is written on them", "read_text", ("--data", drawn)),
        *(
            Step(f"train the {name}", f"train_{name}", (*folders, *flags[name], "--training.seed", str(job.seed)))
            for name in STAGES
        ),
        Step("score them on drawings", "evaluate", (*folders, *scores)),
    ]


def build(job: BuildStarterJob, jobs: Path) -> None:
    """Walk through all steps, then write the small bundles and their card to `job.target`.

    Raises:
        UsageError: naming the step that failed; before the first of them, which take hours, why `job.work` or
            `job.target` cannot be used.
    """
    walk = steps(job, jobs)
    require_same_walk(walk, job.work)
    _require_target(job.target)
    seconds = run_steps(walk, job.work, jobs)
    versions: dict[str, str] = {}
    for name in STAGES:
        source = job.work / "models" / name
        versions.update([write_compact(source, job.target / name, name, versions)])
    sizes = {name: _megabytes(job.target / name) for name in STAGES}
    text = card(job, read_json(job.work / "metrics.json"), sizes, sum(seconds.values()))
    write_atomically(job.target / CARD, text)
    print(text)


def _require_target(target: Path) -> None:
    """Refuse a place that the bundles could not be written to."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=target):
            pass
    except OSError as error:
        raise UsageError(f"--target {target}: cannot be written to ({error}); name another folder") from None
    for name in STAGES:
        bundle.require_free(target / name)


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20
