"""Trials that train a stage: the training loop itself inside a Tune function, not a trainer inside a trial.

On one GPU the second layer would only add processes. Everything of a trial lies in its folder: its log, metrics.jsonl,
its latest checkpoint and its best weights, which are what is saved in the end: nothing is trained twice.
"""

import json
import logging
import os
import shutil
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from ray import tune

from meteo_ray import bundle, cluster
from meteo_ray.cascade.training import stage_inputs
from meteo_ray.config import parse_config
from meteo_ray.errors import MachineFault, UsageError
from meteo_ray.files import write_atomically, write_json
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.stage import Stage
from meteo_ray.stages import stage_named
from meteo_ray.training.config import TrainingJob
from meteo_ray.training.device import pick_device
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.training.launch import share_of_machine, uses_gpu
from meteo_ray.training.learning_rate import total_epochs
from meteo_ray.training.loop import TrainingRun
from meteo_ray.training.node_probe import needs_of, require_on_every_node
from meteo_ray.training.row_source import row_source
from meteo_ray.training.run_identity import identity_parts
from meteo_ray.training.run_log import log_to_run
from meteo_ray.training.task import Phase, Task
from meteo_ray.training.unreadable import TooManyUnreadable
from meteo_ray.tuning.config import SPEED, TuneJob
from meteo_ray.tuning.space import Space, Values
from meteo_ray.tuning.speed import images_per_second
from meteo_ray.tuning.study import Objective
from meteo_ray.tuning.trial_host import CHECKPOINT, ENDED, ERROR, FAULT, PLACE, VALUES, Report, TrialHost

logger = logging.getLogger("meteo_ray")

PATIENCE = "training.patience"

# In a trial's folder: the settings that its epochs were learnt with.
SETTINGS = "settings.json"

# What ends a trial without its settings being to blame: such a trial goes on with the next `--resume`.
FAULTS = (OSError, MachineFault, TooManyUnreadable)

# Tune gives a trial that is ended early two seconds to leave the process to the next one, which else fails. Longer than
# `training.read_ahead` waits for a thread that sits in a call which nobody can cut short.
LEAVING = {"TUNE_FUNCTION_THREAD_TIMEOUT_S": "60"}

# Epochs that a weak trial may show what its settings do, after all of them have begun to act.
EPOCHS_TO_SHOW = 2


@dataclass(frozen=True)
class TrainingTrials:
    """What trials of one stage share. It travels to them once, through Ray's object store."""

    stage: Stage
    base: TrainingJob
    inputs: TaskInputs
    objectives: tuple[Objective, ...]
    varied: tuple[str, ...] = ()
    gpu_share: float = 1.0
    beside: int = 1
    """Trials at a time on one machine, this one among them."""

    @classmethod
    def of(cls, job: TuneJob) -> "TrainingTrials":
        """Check everything that trials need. Raises UsageError naming what is missing."""
        stage = stage_named(job.space)
        named = {"config": job.base, "data": job.data, "models": job.models}
        flags = [
            part for name, path in named.items() if path is not None for part in (f"--{name}", str(path.resolve()))
        ]
        base = parse_config(stage.job, flags)
        if stage.at_once(base) is not None:
            raise UsageError(f"--space {stage.name}: the settings ask for no network, so there is nothing to vary")
        _tell_workers(base.training.workers)
        inputs = stage_inputs(stage, base)
        task = stage.make_task(base, inputs)
        for split in (TRAIN, VALIDATION):
            task.rows(inputs.index, split)
        return cls(stage, base, inputs, _objectives(job, stage, task))

    def made_of(self) -> dict[str, str]:
        """Digests of what trials must share to be compared, by what a user calls it."""
        return identity_parts(self.base, self.inputs, self.stage.make_task(self.base, self.inputs).origin())

    def require_on_every_node(self, sign: Path) -> None:
        """Raise UsageError naming the machines that lack what trials need, `sign` in the sweep's folder among it."""
        task = self.stage.make_task(self.base, self.inputs)
        rows = [task.rows(self.inputs.index, split) for split in (TRAIN, VALIDATION)]
        trains_on = "GPU" if uses_gpu(self.base.training) else "CPU"
        require_on_every_node(needs_of(task, self.inputs, rows, sign), trains_on)

    def with_space(self, space: Space) -> "TrainingTrials":
        """The same, knowing what is varied."""
        return replace(self, varied=tuple(space.distributions))

    def rounds(self) -> int:
        """Epochs of a trial that runs to its end."""
        return total_epochs(self._phases(self.base))

    def acts_from(self, job: TrainingJob | None = None) -> tuple[int, str]:
        """Epochs that a trial must run before it tells anything about what is varied, and the reason in words."""
        job = job or self.base
        phases = self._phases(job)
        before, warmup = sum(phase.epochs for phase in phases[:-1]), phases[-1].warmup_epochs
        reason = f"{before} epochs with a part frozen, {warmup:g} of warm-up" if before else f"{warmup:g} of warm-up"
        start = before + warmup
        late = {} if self.stage.acts_from is None else self.stage.acts_from(job)
        for name, epoch in late.items():
            if name in self.varied and epoch > start:
                start, reason = float(epoch), f"{epoch} epochs until {name} acts"
        return -int(-start // 1) + EPOCHS_TO_SHOW, f"{reason} and {EPOCHS_TO_SHOW} to show what it does"

    def with_patience(self, grace: int) -> "TrainingTrials":
        """The same with so much patience that early stopping ends no trial before `grace` epochs either."""
        patience = self.base.training.patience
        least = grace - sum(phase.epochs for phase in self._phases(self.base)[:-1])
        if not 0 < patience < least:
            return self
        logger.info("patience is %d in this sweep instead of %d: trials must outlive the warm-up", least, patience)
        return replace(self, base=self.base.with_values(**{PATIENCE: least}))

    def best_values(self, values: Values) -> Values:
        """A trial's values with what the sweep changed besides."""
        return {PATIENCE: self.base.training.patience, **values}

    def _phases(self, job: TrainingJob) -> list[Phase]:
        return self.stage.make_task(job, self.inputs).phases()

    # -- inside a trial ----------------------------------------------------------------------------------------------

    def run(self, values: Values) -> None:
        """Train with one setting; `tune.report` after every epoch, and once more at the end."""
        folder, values = Path(values[PLACE]), {name: value for name, value in values.items() if name != PLACE}
        _take(folder, values)
        os.environ.update(LEAVING)  # read here, by what runs the next trial
        cluster.quiet_logs()
        log_to_run(folder, rank=0)
        try:
            self._try(values, folder)
        except Exception as error:
            logger.exception("the trial failed")
            reason = FAULT if isinstance(error, FAULTS) else ERROR
            (folder / reason).write_text(traceback.format_exc(), "utf-8")
            raise

    def _try(self, values: Values, folder: Path) -> None:
        started = time.monotonic()
        job = self._job({**values, **self.stage.trial_settings})
        task = self.stage.make_task(job, self.inputs)
        measures = [objective.name for objective in self.objectives if objective.name != SPEED]
        host = TrialHost(folder, task.watch, measures or [task.watch], self.acts_from(job)[0], tune.report)
        finished = self._training(task, job, folder, host).fit()
        found = dict(zip(measures, host.values(), strict=False))
        if SPEED in {objective.name for objective in self.objectives}:
            precision, device = job.training.precision, pick_device(job.training.use_gpu)
            found[SPEED] = images_per_second(task, finished.model, self.inputs.index, precision, device)
        tune.report(
            {
                ENDED: True,
                VALUES: [found[objective.name] for objective in self.objectives],
                "epochs": host.epochs,
                "acts_from": host.acts_from,
                "metrics": host.metrics(),
                "seconds": round(time.monotonic() - started, 1),
            }
        )

    def _job(self, values: Values) -> TrainingJob:
        """The base with a trial's values, its part of the machine, and on a shared GPU of the memory."""
        job = self.base.with_values(**values)
        job = job.model_copy(update={"training": share_of_machine(job.training, self.beside)})
        if self.gpu_share == 1 or pick_device(job.training.use_gpu).type == "cpu":
            return job
        share = job.training.memory_share * self.gpu_share
        torch.cuda.set_per_process_memory_fraction(share)
        return job.with_values(**{"training.memory_share": share})

    def _training(self, task: Task, job: TrainingJob, folder: Path, host: TrialHost) -> TrainingRun:
        batches = row_source(task, job.training.data_workers, drop_failed=False)
        device = pick_device(job.training.use_gpu)
        return TrainingRun(task, self.inputs.index, job.training, folder, host, batches, device)

    # -- the best one ------------------------------------------------------------------------------------------------

    def save(self, values: Values, folder: Path, target: Path, run: str) -> dict[str, Any]:
        """Write a trial's bundle: its best weights, with all that votes beside the network in a training.

        Of a trial that was cut off those that it has so far: there is no time left to train. The metrics come back.
        """
        cluster.quiet_logs()
        log_to_run(folder, rank=0)
        job = self._job(values)
        task = self.stage.make_task(job, self.inputs)
        silent: Report = lambda told: None  # noqa: E731  # the trial has told all that it had to tell
        host = TrialHost(folder, task.watch, [task.watch], 0, silent)
        trained = self._training(task, job, folder, host)
        trained.state.finished = trained.state.epochs_done > 0
        finished = trained.fit()
        with bundle.writing(target) as scratch:
            metrics = task.export(finished.model, finished.outputs, scratch)
            epochs = {"best_epoch": finished.best_epoch, "epochs": len(finished.history)}
            record: dict[str, Any] = {**metrics, "run": run, **epochs}
            write_json(scratch / bundle.METRICS, record)
        return record


def _tell_workers(workers: int) -> None:
    """A batch is the same whatever shares it, so what trials find holds for a training with more of them."""
    if workers > 1:
        logger.warning(
            "training.workers is %d, and a trial trains with one: --concurrent %d keeps as many GPUs or machines busy; "
            "best.yaml keeps the %d for the training",
            *(workers, workers, workers),
        )


def _take(folder: Path, values: Values) -> None:
    """Make a trial's folder ready; epochs that stand there and were learnt with other settings go.

    A journal whose last lines were lost with the power gives a number, and with it a folder, a second time.
    """
    told, known = json.dumps(values, sort_keys=True, default=str), folder / SETTINGS
    if not known.is_file() or known.read_text("utf-8") != told:
        shutil.rmtree(folder, ignore_errors=True)
        if (folder / CHECKPOINT).exists():
            raise MachineFault(f"{folder / CHECKPOINT}: epochs of other settings, which cannot be removed")
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(known, told)
    for reason in (ERROR, FAULT):
        (folder / reason).unlink(missing_ok=True)


def _objectives(job: TuneJob, stage: Stage, task: Task) -> tuple[Objective, ...]:
    known = dict.fromkeys((task.watch, *stage.objectives, SPEED))
    wrong = [name for name in job.objectives if name not in known]
    if wrong:
        raise UsageError(f"--objectives {' '.join(wrong)}: {stage.name} can improve {', '.join(known)}")
    if job.objectives and job.objectives[0] == SPEED:
        raise UsageError(f"--objectives: name a measure of quality before {SPEED}; the first decides what is saved")
    words = {SPEED: "images a second, the network alone"}
    return tuple(Objective(name, words.get(name, f"{name} on validation")) for name in job.objectives or (task.watch,))
