"""A sweep of a stage's training: trials on Ray Tune, the best one's weights saved as a bundle."""

import logging
import math
import os
import shutil
import time
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import optuna
import ray
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial
from ray import tune

from meteo_ray import cluster
from meteo_ray.errors import UsageError
from meteo_ray.files import SIGN
from meteo_ray.training.run_log import followed
from meteo_ray.tuning import study as memory
from meteo_ray.tuning.config import TuneJob
from meteo_ray.tuning.folder import SweepFolder
from meteo_ray.tuning.report import Ending, write_report
from meteo_ray.tuning.resources import trial_resources
from meteo_ray.tuning.results import write_best, write_table
from meteo_ray.tuning.search import StudyScheduler, StudySearch, pruner_of
from meteo_ray.tuning.space import Space, Values, load_space
from meteo_ray.tuning.training_trials import TrainingTrials

logger = logging.getLogger("meteo_ray")

DEFAULT_TRIALS = 20

# Tune's banner; its own files of every trial, beside those of the training loop; tracebacks, which stand in the folders
# of their trials; its own way with Ctrl-C, which would end the trials, and go on as if time were up.
QUIET = {
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}


def sweep_training(job: TuneJob) -> None:
    """Search, save the best model in MODELS/tune/SPACE/models/, and tell. Raises UsageError like `sweep.sweep`."""
    started = time.monotonic()
    trials = TrainingTrials.of(job)
    space = load_space(job.space, trials.base)
    trials = trials.with_space(space)
    grace = _grace(job, trials)
    # Rungs and patience follow from it: a trial that had another one cannot be compared either.
    made_of = {**trials.made_of(), "--grace-epochs": str(grace)}
    trials = trials.with_patience(grace)
    folder = SweepFolder(trials.inputs.models / "tune" / job.space)
    if job.overwrite:  # the sweep that stands there is forgotten for one that can run
        cluster.connect()
        _resources(job, trials)
    with folder.taken(job):
        study = _study(job, trials, space, folder, made_of)
        study.pruner = pruner_of(grace, trials.rounds(), len(trials.objectives) > 1)
        cluster.connect()
        trials.require_on_every_node(folder.path / SIGN)
        shared = _search(job, trials, space, folder, study, started)
        _conclude(job, trials, folder, study, shared)


def _grace(job: TuneJob, trials: TrainingTrials) -> int:
    """Epochs that every trial may run. Raises UsageError for too few."""
    least, reason = trials.acts_from()
    if job.grace_epochs is not None and job.grace_epochs < least:
        raise UsageError(
            f"--grace-epochs {job.grace_epochs}: trials would be ended before what they vary has acted; {least} is the "
            f"least here: {reason}"
        )
    grace = job.grace_epochs or least
    if grace >= trials.rounds():
        logger.info("no trial is ended early: it has %d epochs, and needs %d (%s)", trials.rounds(), grace, reason)
    else:
        logger.info("weak trials are ended after %d of %d epochs at the soonest (%s)", grace, trials.rounds(), reason)
    return grace


def _study(
    job: TuneJob, trials: TrainingTrials, space: Space, folder: SweepFolder, made_of: dict[str, str]
) -> optuna.Study:
    if job.resume:
        study = memory.go_on(folder.path, job.space, trials.objectives, made_of, space.distributions)
    else:
        study = memory.begin(folder.path, job.space, trials.objectives, made_of, space.distributions, space.points)
    # After a resume other random numbers, or the search would suggest what it did in the beginning.
    study.sampler = TPESampler(seed=job.seed + len(study.get_trials(deepcopy=False)))
    return study


def _search(
    job: TuneJob, trials: TrainingTrials, space: Space, folder: SweepFolder, study: optuna.Study, started: float
) -> dict[str, Any]:
    """Run the trials that are left; the trials' share of the cluster comes back."""
    resources = _resources(job, trials)
    left = (job.trials or DEFAULT_TRIALS) - len(memory.tried(study))
    allowed = job.searching_seconds
    seconds = None if allowed is None else allowed - (time.monotonic() - started)
    if left <= 0 or (seconds is not None and seconds <= 0):
        why = "no more are asked for" if left <= 0 else "there is no time for more"
        logger.info("%d settings were tried already; %s", len(memory.tried(study)), why)
        return resources
    shutil.rmtree(folder.ray, ignore_errors=True)
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # it misses those files, and tells of every failed trial
    search = StudySearch(study, space.distributions, folder.trials)
    machines = sum(bool(node["Alive"]) for node in ray.nodes())
    shared = replace(trials, gpu_share=resources.get("gpu", 1.0), beside=math.ceil(job.concurrent / machines))
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(_trial, trials=shared), resources),
        tune_config=tune.TuneConfig(
            num_samples=left,
            search_alg=search,
            scheduler=StudyScheduler(search),
            max_concurrent_trials=job.concurrent,
            time_budget_s=seconds,
            reuse_actors=True,  # the next trial need not import torch anew
        ),
        run_config=tune.RunConfig(name=folder.ray.name, storage_path=str(folder.path), verbose=0),
    )
    try:
        tuner.fit()
    except BaseException:
        search.close(memory.INTERRUPTED)
        raise
    search.close()
    return resources


def _resources(job: TuneJob, trials: TrainingTrials) -> dict[str, float]:
    return trial_resources(ray.cluster_resources(), job.concurrent, trials.base.training.use_gpu)


def _trial(config: Values, trials: TrainingTrials) -> None:
    trials.run(config)


def _conclude(
    job: TuneJob, trials: TrainingTrials, folder: SweepFolder, study: optuna.Study, resources: dict[str, Any]
) -> None:
    """Table, settings, model and page. Raises UsageError when no trial told a score."""
    write_table(folder.table, study)
    chosen = _best(study)
    if chosen is None:
        raise UsageError(_nothing_to_choose(job, study, folder))
    write_best(folder.best, job.base, trials.base, trials.best_values(chosen.params))
    bundle = folder.models / trials.stage.name
    metrics = _save(trials, folder, chosen, bundle, resources)
    job_of = "classify_archive" if trials.stage.judging else f"evaluate_{trials.stage.name}"
    use = f"python jobs/{job_of}.py --models DIR   # with {bundle} in it"
    again = f"python jobs/train_{trials.stage.name}.py --config {folder.best}"
    ending = Ending(chosen, metrics, trials.base, {"use it": use, "train it anew": again})
    write_report(folder.report, study, ending)
    _tell(study, chosen, folder, bundle, trials)


def _best(study: optuna.Study) -> FrozenTrial | None:
    """The best by the first objective of those that ended; where none did, of those that time cut off."""
    ended = memory.complete(study)
    if ended:
        return ended[0]
    cut = [trial for trial in study.get_trials(deepcopy=False) if trial.user_attrs.get(memory.CUT_OFF)]
    scored = [(score, -trial.number, trial) for trial in cut if (score := memory.score_of(trial)) is not None]
    return max(scored, key=itemgetter(0, 1))[-1] if scored else None


def _nothing_to_choose(job: TuneJob, study: optuna.Study, folder: SweepFolder) -> str:
    """Why there is no best trial, and what to do."""
    over = {memory.folder_of(trial) for trial in memory.tried(study)}  # those that died twice do not go on
    begun = [trial for trial in study.get_trials(deepcopy=False) if trial.user_attrs.get(memory.CUT_OFF)]
    cut = {memory.folder_of(trial) for trial in begun} - over
    if not cut:
        return f"{job.space}: no trial ended with a score; the reasons are in {folder.table}"
    several = "; of several objectives only trials that ended can be compared" if len(study.directions) > 1 else ""
    return (
        f"{job.space}: no trial ended: {len(cut)} were cut off ({folder.table} tells by what){several}. No model is "
        "saved; --resume goes on with them from their last epochs, with more --hours to the end"
    )


def _save(
    trials: TrainingTrials, folder: SweepFolder, chosen: FrozenTrial, bundle: Path, resources: dict[str, Any]
) -> dict[str, Any]:
    """The bundle's metrics. On the cluster, for the driver computes nothing."""
    place = folder.trials / memory.folder_of(chosen)
    run = f"tune-{trials.stage.name}-{memory.folder_of(chosen)}"
    logger.info("saving trial %d, with all that votes beside the network", chosen.number)
    alone = {"num_cpus": resources["cpu"], **({"num_gpus": 1} if "gpu" in resources else {})}
    saving = ray.remote(**alone)(_saved)
    with followed(place):
        metrics: dict[str, Any] = ray.get(saving.remote(trials, chosen.params, place, bundle, run))
    return metrics


def _saved(trials: TrainingTrials, values: Values, place: Path, bundle: Path, run: str) -> dict[str, Any]:
    return trials.save(values, place, bundle, run)


def _tell(study: optuna.Study, chosen: FrozenTrial, folder: SweepFolder, bundle: Path, trials: TrainingTrials) -> None:
    first = trials.objectives[0]
    score = memory.score_of(chosen)
    print(f"{study.study_name}: best {first.words} {score:.4f} of {len(memory.tried(study))} trials")
    default = memory.default_trial(study)
    if default is not None and default.values:
        print(f"  the settings that it started from: {default.values[0]:.4f}")
    print(f"  model: {bundle}")
    print(f"  settings: {folder.best}   report: {folder.report}")
    print(f"  all trials: {folder.table}; optuna-dashboard {folder.path / memory.JOURNAL}")
