"""What a sweep can improve: a stage's training, or the thresholds of a trained cascade. Both look alike to sweep.py."""

import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ray import tune

from meteo_ray import cluster
from meteo_ray.cascade.training import stage_inputs
from meteo_ray.config import JobConfig, parse_config
from meteo_ray.errors import UsageError
from meteo_ray.evaluation.config import END_TO_END, EvaluateJob
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.stage import Stage
from meteo_ray.stages import stage_named
from meteo_ray.streaming.stream import stream
from meteo_ray.training.config import TrainingJob
from meteo_ray.training.device import pick_device
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.training.learning_rate import total_epochs
from meteo_ray.training.loop import TrainingRun
from meteo_ray.tuning.config import TuneJob

SCORE = "score"  # what every trial reports under, whatever it watches


class SweepTarget(Protocol):
    """One thing to improve. `run` is called in trials and must be picklable."""

    @property
    def base(self) -> JobConfig:
        """The job that trials vary."""
        ...

    @property
    def models(self) -> Path: ...

    @property
    def rounds(self) -> int:
        """Reports of one trial: epochs, or 1."""
        ...

    @property
    def watched(self) -> str:
        """What the score is, in words."""
        ...

    def run(self, values: dict[str, Any]) -> None:
        """Try one setting inside a trial; `tune.report` its score, higher is better."""
        ...

    def use_command(self, best: Path) -> str:
        """The command that uses the best setting."""
        ...


def make_target(job: TuneJob) -> SweepTarget:
    """Check everything that the sweep needs. Raises UsageError naming what is missing."""
    return CascadeTarget.of(job) if job.space == END_TO_END else TrainingTarget.of(job)


def _folders(job: TuneJob) -> dict[str, Path]:
    named = {name: getattr(job, name) for name in ("data", "models")}
    return {name: path.resolve() for name, path in named.items() if path is not None}


@dataclass(frozen=True)
class TrainingTarget:
    """A stage's training, scored by its best validation metric so far; every epoch reports, so weak trials can end."""

    stage: Stage
    base: TrainingJob
    inputs: TaskInputs
    rounds: int
    watched: str

    @classmethod
    def of(cls, job: TuneJob) -> "TrainingTarget":
        stage = stage_named(job.space)
        base = parse_config(stage.job, ["--config", str(job.base)] if job.base else [])
        base = base.model_copy(update=_folders(job))
        if stage.at_once(base) is not None:
            raise UsageError(f"--space {stage.name}: the settings ask for no network, so there is nothing to vary")
        inputs = stage_inputs(stage, base)
        task = stage.make_task(base, inputs)
        for split in (TRAIN, VALIDATION):
            task.rows(inputs.index, split)
        return cls(stage, base, inputs, total_epochs(task.phases()), task.watch)

    @property
    def models(self) -> Path:
        return self.inputs.models

    def run(self, values: dict[str, Any]) -> None:
        _set_up_trial()
        job = self.base.with_values(**values, **self.stage.trial_settings)
        task = self.stage.make_task(job, self.inputs)
        batches = partial(stream, workers=job.training.data_workers)
        host = TuneHost(task.watch)
        with tempfile.TemporaryDirectory(prefix="meteo_ray_trial_") as folder:
            TrainingRun(task, self.inputs.index, job.training, Path(folder), host, batches, pick_device()).fit()

    def use_command(self, best: Path) -> str:
        return f"python jobs/train_{self.stage.name}.py --config {best}"


@dataclass(frozen=True)
class CascadeTarget:
    """The thresholds of trained models, scored by the share of validation images that come out right in the end."""

    base: EvaluateJob
    models: Path
    rounds: int = 1
    watched: str = "share of images judged right end to end"

    @classmethod
    def of(cls, job: TuneJob) -> "CascadeTarget":
        from meteo_ray.evaluation.run import Evaluation

        folders = _folders(job)
        flags = [part for name, path in folders.items() for part in (f"--{name}", str(path))]
        flags += ["--config", str(job.base)] if job.base else []
        flags += ["--stage", END_TO_END, "--split", VALIDATION, "--out", "unused.json", "--no-augmentation.enabled"]
        base = parse_config(EvaluateJob, flags)  # thresholds are chosen on images as an archive holds them (R5)
        Evaluation(base)  # refuses missing models and empty splits
        # Trials run in folders of their own.
        places = {name: getattr(base, name) for name in ("labels", "index", "cache")}
        base = base.model_copy(update={name: path.resolve() for name, path in places.items() if path})
        return cls(base, base.models.resolve())

    def run(self, values: dict[str, Any]) -> None:
        from meteo_ray.evaluation.run import Evaluation

        _set_up_trial()
        metrics = Evaluation(self.base.with_values(**values)).run().document[END_TO_END]
        tune.report({SCORE: share_right(metrics), "epochs": 1})

    def use_command(self, best: Path) -> str:
        return f"python jobs/classify_archive.py --config {best} --archive ... --out ..."


def share_right(metrics: Mapping[str, Any]) -> float:
    """Share of the images with a known answer that got it: others turned away, charts given their product."""
    others = metrics["images"] - metrics["charts"]
    right = others - metrics["false_alarms"] + (metrics["product_accuracy"] or 0.0) * metrics["with_product"]
    return float(right / max(others + metrics["with_product"], 1))


def _set_up_trial() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", force=True)
    cluster.quiet_logs()


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
