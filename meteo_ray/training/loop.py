"""The one training loop. It knows tasks (task.py) and a host that stores checkpoints; it knows neither Ray nor charts.

for every epoch of every phase:  order -> stream -> steps -> checkpoint -> validation -> record
then:                            best weights -> outputs on validation -> task.export

Orders and streams run in a thread of their own, ahead of the steps and over the borders of epochs (epoch_inputs.py).
"""

import logging
import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from meteo_ray.batch import Batch
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.training import checkpoint
from meteo_ray.training.before_training import FirstLook
from meteo_ray.training.checkpoint import RunState
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.device import seed_everything, set_threads
from meteo_ray.training.distributed import Workers, require_even_shares
from meteo_ray.training.epoch_inputs import EpochInputs
from meteo_ray.training.epoch_steps import EpochSteps
from meteo_ray.training.gradient_steps import Stepper
from meteo_ray.training.host import Host
from meteo_ray.training.learner import Learner
from meteo_ray.training.learning_rate import Position, locate, total_epochs
from meteo_ray.training.memory_guard import MemoryGuard
from meteo_ray.training.metrics_record import RunRecord, scalars
from meteo_ray.training.ready_batches import BatchMaker
from meteo_ray.training.task import Task
from meteo_ray.training.training_rows import Stream, TrainingRows
from meteo_ray.training.utilisation import Utilisation
from meteo_ray.training.validation import Validation

logger = logging.getLogger("meteo_ray")


@dataclass
class Finished:
    """A run's end: the best epoch's model, its outputs on the validation split, and every epoch's entry."""

    model: nn.Module
    outputs: Batch
    history: list[dict[str, Any]]
    best_epoch: int


class TrainingRun:
    """One task trained on one index; `fit` goes on from the host's latest checkpoint when there is one."""

    def __init__(
        self,
        task: Task,
        index: pa.Table,
        settings: LoopSettings,
        folder: Path,
        host: Host,
        stream: Stream,
        device: torch.device,
    ) -> None:
        require_even_shares(settings.batch_size, host.world_size)
        set_threads(settings, device)
        self.workers = Workers(host.rank, host.world_size)
        self.task, self.settings, self.folder, self.host = task, settings, folder, host
        self.stream, self.device = stream, device
        self.rows = {split: task.rows(index, split) for split in (TRAIN, VALIDATION)}
        seed_everything(settings.seed)
        self.learner = Learner(task, settings, device)
        self.phases = task.phases()
        self.state = RunState()
        self.row_loss = np.full(self.rows[TRAIN].num_rows, np.nan, dtype=np.float32)
        self.record = RunRecord(folder) if host.rank == 0 else None
        self._restore()
        micro_batch = self.state.micro_batch or settings.micro_batch or settings.batch_size
        self.guard = MemoryGuard(min(micro_batch, settings.batch_size), settings.memory_share, device)
        self.make_ready = BatchMaker(task, self.guard, device)
        judging = MemoryGuard(self.guard.micro_batch, settings.memory_share, device)
        self.validation = Validation(task, self.rows[VALIDATION], stream, judging, settings, device, self.workers)

    # -- the whole run ---------------------------------------------------------------------------------------

    def fit(self) -> Finished:
        """Train until the phases end or patience is out.

        Raises:
            UsageError: when the loss stops being a number, not even one row fits into memory, or too many rows cannot
                be read.
        """
        FirstLook(self.task, self.rows[TRAIN], self.stream, self.settings, self.folder).learn(self.workers)
        if self.state.unvalidated and not self.state.finished:
            self._judge(self.state.unvalidated)
        epochs = range(self.state.epochs_done, self.epochs)
        if epochs and not self.state.finished:
            self._train(epochs)
        self.workers.wait()  # the first one writes the best weights
        self.learner.take_judged(self.best_folder)
        outputs, _ = self.validation.outputs(self.learner.judged)
        if self.record:
            self.record.close()
        return Finished(self.learner.judged, outputs, self.state.history, self.state.best_epoch or 0)

    @property
    def epochs(self) -> int:
        return total_epochs(self.phases)

    @property
    def best_folder(self) -> Path:
        return self.folder / "best"

    @property
    def model(self) -> nn.Module:
        """The model that is learnt; `Finished.model` may be another, see `Learner.judged`."""
        return self.learner.model

    def _train(self, epochs: range) -> None:
        settings, workers, learner = self.settings, self.workers, self.learner
        rows = TrainingRows(self.task, self.rows[TRAIN], settings.batch_size, workers, self.stream)
        stepper = Stepper(self.task, learner.model, learner.optimizer, self.guard, settings, self.device, workers)
        steps = EpochSteps(self.task, learner, stepper, self.epochs, settings, workers)
        with closing(EpochInputs(epochs, self.row_loss, rows, self.make_ready)) as inputs:
            for epoch in epochs:
                self._epoch(epoch, locate(self.phases, epoch), inputs, steps)
                if self.state.finished:
                    break

    def _epoch(self, epoch: int, position: Position, inputs: EpochInputs, steps: EpochSteps) -> None:
        seed_everything(self.settings.seed, epoch, *([self.host.rank] if self.host.rank else []))
        started, waited_s, state = time.monotonic(), inputs.waited_s, self.state
        with Utilisation(self.device) as utilisation:
            results, unreadable = steps.learn(epoch, position, inputs, state.steps_done)
            state.steps_done += results.steps
            results.enter_row_losses(self.row_loss)
            inputs.learnt(epoch, self.row_loss)
        seconds = time.monotonic() - started
        state.epochs_done, state.micro_batch = epoch + 1, self.guard.micro_batch
        state.unvalidated = {
            "epoch": epoch,
            "phase": position.phase.name,
            "steps": state.steps_done,
            **results.means(),
            **self.guard.statistics(),
            **utilisation.figures(),
            "train_seconds": round(seconds, 2),
            "data_wait_s": round(inputs.waited_s - waited_s, 2),
            "rows_per_second": round(results.rows / max(seconds, 1e-9), 2),
            "unreadable_training_rows": unreadable.count,
        }
        self.guard.end_epoch()
        self.host.report(state.unvalidated, self._write_checkpoint)
        self._judge(state.unvalidated)

    # -- what an epoch leaves --------------------------------------------------------------------------------

    def _judge(self, learnt: dict[str, Any]) -> None:
        """Validate the epoch whose steps left the entry `learnt`; keep the best weights and decide about stopping."""
        started, state = time.monotonic(), self.state
        outputs, unreadable = self.validation.outputs(self.learner.judged)
        metrics = self.task.metrics(outputs)
        watched = self.workers.of_first(metrics[self.task.watch])
        entry = {**learnt, **scalars(metrics, "validation/"), "unreadable_validation_rows": unreadable.count}
        entry["validation_seconds"] = round(time.monotonic() - started, 2)
        if is_better(watched, state.best_metric):
            state.best_metric, state.best_epoch, state.epochs_without_gain = watched, entry["epoch"], 0
            if self.host.rank == 0:
                self.learner.keep_judged(self.best_folder)
        elif locate(self.phases, entry["epoch"]).is_last_phase:
            state.epochs_without_gain += 1
        out_of_patience = 0 < self.settings.patience <= state.epochs_without_gain
        state.finished = out_of_patience or state.epochs_done == self.epochs
        state.history.append(entry)
        state.unvalidated = None
        self._record(entry)
        self.host.validated({**entry, self.task.watch: watched})

    def _record(self, entry: dict[str, Any]) -> None:
        if self.record:
            checkpoint.save_validated(self.folder, self.state)
            self.record.epoch(entry)
        logger.info("%s epoch %d: %s", self.task.name, entry["epoch"] + 1, _headline(entry, self.task.watch))

    def _write_checkpoint(self, folder: Path) -> None:
        self.learner.save(folder, self.state, self.row_loss)

    def _restore(self) -> None:
        folder = self.host.latest_checkpoint()
        if folder is not None:
            self.state = checkpoint.load_state(folder, self.folder)
            row_loss = self.learner.restore(folder, self.state.steps_done)
            if row_loss is not None:
                self.row_loss = row_loss
            logger.info("%s: going on after epoch %d", self.task.name, self.state.epochs_done)
        if self.record:
            if folder is None:
                checkpoint.forget_validated(self.folder)
            self.record.restore(self.state.history)  # an epoch's line may have outlived its checkpoint


def is_better(watched: float, best: float | None) -> bool:
    """A number beats NaN and infinity: nothing is greater than NaN, and an epoch with it would stay the best."""
    if best is not None and math.isfinite(watched) == math.isfinite(best):
        return watched > best
    return best is None or math.isfinite(watched)


def _headline(entry: dict[str, Any], watch: str) -> str:
    names: Sequence[str] = ("train/loss", f"validation/{watch}", "rows_per_second", "data_wait_s")
    return "  ".join(f"{name} {entry[name]:.4g}" for name in names if name in entry)
