"""Sweeps on Ray Tune with Optuna: overnight, resumable, one trial at a time on one GPU (R42).

A trial is the training loop itself inside a Tune function, not a trainer inside a trial: on one GPU the second layer
only adds processes. Everything lies in MODELS/tune/SPACE/: Tune's own state, Optuna's storage, and at the end
trials.csv and best.yaml, which the training job takes as --config.
"""

import importlib
import logging
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import ray
import yaml
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from meteo_ray import cluster
from meteo_ray.config import parse_config
from meteo_ray.config.training import TrainingJob
from meteo_ray.config.tune import TuneJob
from meteo_ray.dataset.streaming import stream
from meteo_ray.errors import UsageError
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.stages import STAGES
from meteo_ray.training.device import pick_device
from meteo_ray.training.launch import TaskInputs, check_inputs
from meteo_ray.training.loop import TrainingRun
from meteo_ray.training.schedule import total_epochs

logger = logging.getLogger("meteo_ray")

SCORE = "score"  # what every trial reports under, whatever its stage watches
SECONDS_AN_HOUR = 3600


def sweep(job: TuneJob) -> None:
    """Run or resume a sweep and write best.yaml and trials.csv.

    Raises:
        UsageError: before Ray starts, when folders, the base config or the space do not fit.
    """
    base = _base_job(job)
    inputs = check_inputs(base)
    space = importlib.import_module(f"tune_spaces.{job.space}")
    _check_space(base, space.points_to_evaluate())
    task = STAGES[job.space].make_task(base, inputs)
    for split in (TRAIN, VALIDATION):
        task.rows(inputs.index, split)
    folder = inputs.models / "tune" / job.space
    _check_folder(job, folder)
    cluster.connect()
    trial = partial(_trial, base=base, inputs=inputs, space=job.space)
    results = _tuner(job, trial, space, folder, total_epochs(task.phases())).fit()
    _write_results(job, base, results, folder)


def _base_job(job: TuneJob) -> TrainingJob:
    """The training job that trials vary: defaults, the --base file, and the sweep's folders."""
    stage = STAGES[job.space]
    arguments = ["--config", str(job.base)] if job.base else []
    base = parse_config(stage.job, arguments)
    folders = {name: getattr(job, name) for name in ("data", "models") if getattr(job, name) is not None}
    return base.model_copy(update=folders)


def _check_space(base: TrainingJob, points: list[dict[str, Any]]) -> None:
    for point in points:
        try:
            base.with_values(**point)
        except (KeyError, ValueError) as error:
            raise UsageError(f"tune_spaces: {error} does not fit the training job's settings") from None


def _check_folder(job: TuneJob, folder: Path) -> None:
    if job.overwrite:
        shutil.rmtree(folder, ignore_errors=True)
    if job.resume and not (folder / "trials").is_dir():
        raise UsageError(f"{folder}: no sweep to resume here; leave --resume out to start one")
    if not job.resume and folder.exists():
        raise UsageError(f"{folder}: a sweep of this space stands here; --resume goes on, --overwrite forgets it")
    folder.mkdir(parents=True, exist_ok=True)


def _tuner(job: TuneJob, trial: Callable[..., None], space: Any, folder: Path, epochs: int) -> tune.Tuner:
    resources = {"cpu": 1, "gpu": 1} if ray.cluster_resources().get("GPU", 0) else {"cpu": 1}
    trainable = tune.with_resources(trial, resources)
    run = folder / "trials"
    if job.resume:
        return tune.Tuner.restore(str(run), trainable=trainable, resume_unfinished=True, restart_errored=True)
    search = OptunaSearch(
        metric=SCORE,
        mode="max",
        seed=job.seed,
        study_name=job.space,  # the default name would merge two sweeps that share a storage
        storage=optuna.storages.RDBStorage(f"sqlite:///{folder / 'optuna.db'}"),
        points_to_evaluate=space.points_to_evaluate(),
    )
    scheduler = ASHAScheduler(
        metric=SCORE, mode="max", max_t=max(epochs, 1), grace_period=min(job.grace_epochs, max(epochs, 1))
    )
    return tune.Tuner(
        trainable,
        param_space=space.space(),
        tune_config=tune.TuneConfig(
            num_samples=job.trials,
            search_alg=search,
            scheduler=scheduler,
            max_concurrent_trials=job.concurrent,
            time_budget_s=job.hours * SECONDS_AN_HOUR if job.hours else None,
        ),
        run_config=tune.RunConfig(name=run.name, storage_path=str(folder), verbose=1),
    )


def _trial(values: dict[str, Any], base: TrainingJob, inputs: TaskInputs, space: str) -> None:
    """One setting, trained; every epoch reports, so that a weak trial can be stopped."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    job = base.with_values(**values)
    task = STAGES[space].make_task(job, inputs)
    batches = partial(stream, workers=job.training.data_workers)
    with tempfile.TemporaryDirectory(prefix="meteo_ray_trial_") as folder:
        TrainingRun(task, inputs.index, job.training, Path(folder), TuneHost(task.watch), batches, pick_device()).fit()


class TuneHost:
    """The loop's host inside a trial: reports scores, keeps no checkpoint (an interrupted trial starts over)."""

    rank, world_size = 0, 1

    def __init__(self, watch: str) -> None:
        self.watch, self.best = watch, float("-inf")

    def latest_checkpoint(self) -> Path | None:
        return None

    def report(self, metrics: dict[str, Any], write_checkpoint: Callable[[Path], None]) -> None:
        self.best = max(self.best, metrics[self.watch])
        tune.report({SCORE: self.best, "epochs": metrics["epoch"] + 1})


def _write_results(job: TuneJob, base: TrainingJob, results: tune.ResultGrid, folder: Path) -> None:
    """trials.csv (every setting and its score, best first) and best.yaml, and the same in a few lines."""
    rows = [
        {"score": result.metrics[SCORE], "epochs": result.metrics.get("epochs"), **result.config}
        for result in results
        if result.metrics and SCORE in result.metrics and result.config is not None
    ]
    if not rows:
        raise UsageError(f"{job.space}: no trial ended with a score; the errors are in {folder / 'trials'}")
    table = pd.DataFrame(rows).sort_values("score", ascending=False)
    table.to_csv(folder / "trials.csv", index=False)
    best = {name: value for name, value in table.iloc[0].items() if "." in str(name)}
    document = base.with_values(**best).model_dump(mode="json", exclude={"fresh", "cache", "labels"})
    (folder / "best.yaml").write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), "utf-8")
    print(table.head(10).to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    watch = STAGES[job.space].headline[0]
    print(f"{job.space}: best {watch} {table['score'].iloc[0]:.4f} of {len(rows)} trials; {len(results.errors)} failed")
    print(f"train with it: python jobs/train_{job.space}.py --config {folder / 'best.yaml'}")
