"""Sweeps on Ray Tune with Optuna: overnight, resumable, one trial at a time on one GPU (R42).

A trial is the training loop itself inside a Tune function, not a trainer inside a trial: on one GPU the second layer
only adds processes. Everything lies in MODELS/tune/SPACE/: Tune's own state, Optuna's storage, and at the end
trials.csv and best.yaml, which the job takes as --config.
"""

import importlib.util
import logging
import shutil
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
from meteo_ray.config import JobConfig
from meteo_ray.errors import UsageError
from meteo_ray.files import SIGN, require_ours
from meteo_ray.tuning.config import TuneJob
from meteo_ray.tuning.targets import SCORE, SweepTarget, make_target

logger = logging.getLogger("meteo_ray")

SECONDS_AN_HOUR = 3600


def sweep(job: TuneJob) -> None:
    """Run or resume a sweep and write best.yaml and trials.csv.

    Raises:
        UsageError: before Ray starts, when folders, the base config or the space do not fit.
    """
    space = _space(job.space)
    target = make_target(job)
    for point in space.points_to_evaluate():
        _check_point(target.base, point)
    folder = target.models / "tune" / job.space
    _check_folder(job, folder)
    cluster.connect()
    results = _tuner(job, target, space, folder).fit()
    _write_results(job, target, results, folder)


def _space(name: str) -> Any:
    """The module tune_spaces/NAME.py. Raises UsageError when there is none."""
    if importlib.util.find_spec(f"tune_spaces.{name}") is None:
        raise UsageError(
            f"--space {name}: nothing to search yet; write tune_spaces/{name}.py (tune_spaces/gate.py is one)"
        )
    return importlib.import_module(f"tune_spaces.{name}")


def _check_point(base: JobConfig, point: dict[str, Any]) -> None:
    try:
        base.with_values(**point)
    except (KeyError, ValueError) as error:
        raise UsageError(f"tune_spaces: {error} does not fit the job's settings") from None


def _check_folder(job: TuneJob, folder: Path) -> None:
    if job.resume and job.overwrite:
        raise UsageError("--resume keeps what --overwrite removes: give one of them")
    if job.overwrite:
        require_ours(folder, "sweep", "trials")
        shutil.rmtree(folder, ignore_errors=True)
    if job.resume and not (folder / "trials").is_dir():
        raise UsageError(f"{folder}: no sweep to resume here; leave --resume out to start one")
    if not job.resume and folder.exists():
        raise UsageError(f"{folder}: a sweep of this space stands here; --resume goes on, --overwrite forgets it")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SIGN).touch()


def _tuner(job: TuneJob, target: SweepTarget, space: Any, folder: Path) -> tune.Tuner:
    # The trial's own CPU is all it takes: its data workers need the others.
    resources = {"cpu": 1.0, "gpu": 1.0} if ray.cluster_resources().get("GPU", 0) else {"cpu": 1.0}
    trainable = tune.with_resources(target.run, resources)
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
    grace = min(job.grace_epochs, target.rounds)
    return tune.Tuner(
        trainable,
        param_space=space.space(),
        tune_config=tune.TuneConfig(
            num_samples=job.trials,
            search_alg=search,
            scheduler=ASHAScheduler(metric=SCORE, mode="max", max_t=target.rounds, grace_period=grace),
            max_concurrent_trials=job.concurrent,
            time_budget_s=job.hours * SECONDS_AN_HOUR if job.hours else None,
        ),
        run_config=tune.RunConfig(name=run.name, storage_path=str(folder), verbose=1),
    )


def _write_results(job: TuneJob, target: SweepTarget, results: tune.ResultGrid, folder: Path) -> None:
    """trials.csv (every setting and its score, best first) and best.yaml, and the same in a few lines."""
    rows = [
        {SCORE: result.metrics[SCORE], "epochs": result.metrics.get("epochs"), **result.config}
        for result in (results[number] for number in range(len(results)))
        if result.metrics and SCORE in result.metrics and result.config is not None
    ]
    if not rows:
        raise UsageError(f"{job.space}: no trial ended with a score; the errors are in {folder / 'trials'}")
    table = pd.DataFrame(rows).sort_values(SCORE, ascending=False)
    table.to_csv(folder / "trials.csv", index=False)
    best = {str(name): value for name, value in table.iloc[0].items() if "." in str(name)}
    (folder / "best.yaml").write_text(_best_config(job, target.base, best), "utf-8")
    print(table.head(10).to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    print(f"{job.space}: best {target.watched} {table[SCORE].iloc[0]:.4f} of {len(rows)} trials")
    if results.errors:
        logger.warning("%d trials failed; their errors are in %s", len(results.errors), folder / "trials")
    print(f"use it: {target.use_command(folder / 'best.yaml')}")


def _best_config(job: TuneJob, base: JobConfig, best: dict[str, Any]) -> str:
    """The settings that a job needs besides its folders: those of --base, with the best trial's values."""
    changed = {name.split(".")[0] for name in best}
    given = set(yaml.safe_load(job.base.read_text("utf-8")) or {}) if job.base else set()
    document = base.with_values(**best).model_dump(mode="json", include=changed | given)
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
