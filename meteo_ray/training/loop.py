"""The one training loop. It knows tasks (task.py) and a host that stores checkpoints; it knows neither Ray nor charts.

for every epoch of every phase:  order -> stream -> steps -> validation -> record -> checkpoint
then:                            best weights -> outputs on validation -> task.export

Orders and streams run in a thread of their own, ahead of the steps and over the borders of epochs (epoch_inputs.py).
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from meteo_ray.batch import Batch, concatenate
from meteo_ray.progress import ProgressLine
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.training import checkpoint
from meteo_ray.training.checkpoint import RunState
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.device import place, seed_everything, set_threads
from meteo_ray.training.distributed import of_first_rank
from meteo_ray.training.epoch_inputs import EpochInputs
from meteo_ray.training.gradient_steps import Stepper
from meteo_ray.training.learning_rate import Position, learning_rate, locate, total_epochs
from meteo_ray.training.memory_guard import MemoryGuard
from meteo_ray.training.metrics_record import RunRecord, scalars
from meteo_ray.training.read_ahead import ReadAhead
from meteo_ray.training.ready_batches import BatchMaker
from meteo_ray.training.step_results import EpochResults
from meteo_ray.training.task import Prepare, Progress, Task
from meteo_ray.training.training_rows import Stream, TrainingRows
from meteo_ray.training.utilisation import Utilisation
from meteo_ray.training.validation import collect_outputs
from meteo_ray.training.weight_averaging import WeightAverage

logger = logging.getLogger("meteo_ray")


class Host(Protocol):
    """What the loop needs of the place it runs in."""

    rank: int
    world_size: int

    def latest_checkpoint(self) -> Path | None: ...

    def report(self, metrics: dict[str, Any], write_checkpoint: Callable[[Path], None]) -> None:
        """Record an epoch; every rank calls it, rank 0's checkpoint is kept. `write_checkpoint` fills a folder."""
        ...


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
        set_threads(settings, device)
        self.task, self.settings, self.folder, self.host = task, settings, folder, host
        self.stream, self.device = stream, device
        self.rows = {split: task.rows(index, split) for split in (TRAIN, VALIDATION)}
        seed_everything(settings.seed)
        self.model = place(task.build(), device, settings.compile)
        self.groups = {
            name: list(group.parameters()) if isinstance(group, nn.Module) else list(group)
            for name, group in task.parameter_groups(self.model).items()
        }
        self.optimizer = torch.optim.AdamW(
            [{"params": parameters, "lr": 0.0, "name": name} for name, parameters in self.groups.items()],
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.phases = task.phases()
        self.average = WeightAverage(self.model, settings.average_decay) if settings.average_decay else None
        self.state = RunState()
        self.row_loss = np.full(self.rows[TRAIN].num_rows, np.nan, dtype=np.float32)
        self.record = RunRecord(folder) if host.rank == 0 else None
        self._restore()
        micro_batch = self.state.micro_batch or settings.micro_batch or settings.batch_size
        self.guard = MemoryGuard(min(micro_batch, settings.batch_size), settings.memory_share, device)
        self.make_ready = BatchMaker(task, self.guard, device)

    # -- the whole run ---------------------------------------------------------------------------------------

    def fit(self) -> Finished:
        """Train until the phases end or patience is out.

        Raises:
            UsageError: when the loss stops being a number, or not even one row fits into memory.
        """
        self.task.before_training(self._collect)
        epochs = range(self.state.epochs_done, total_epochs(self.phases))
        if epochs and not self.state.finished:
            with closing(EpochInputs(epochs, self.row_loss, self._training_rows(), self.make_ready)) as inputs:
                for epoch in epochs:
                    self._epoch(epoch, locate(self.phases, epoch), inputs)
                    if self.state.finished:
                        break
        self.task.load_state(self.judged_model, checkpoint.load_model(self.best_folder))
        outputs = self._validate()
        if self.record:
            self.record.close()
        return Finished(self.judged_model, outputs, self.state.history, self.state.best_epoch or 0)

    @property
    def best_folder(self) -> Path:
        return self.folder / "best"

    @property
    def judged_model(self) -> nn.Module:
        """The model that is validated and kept: the averaged one where there is one."""
        return self.model if self.average is None else self.average.model

    def _collect(self, label: str, prepare: Prepare) -> Batch:
        """Every training row that can be read once, in order, as `prepare` makes it."""
        rows, parts = self.rows[TRAIN], []
        line = ProgressLine(f"{self.task.name} {label}", rows.num_rows, unit="rows")
        for batch in self.stream(rows, prepare, self.settings.batch_size):
            parts.append(batch)
            line.update(len(batch["ok"]))
        line.close()
        return concatenate(parts)

    def _epoch(self, epoch: int, position: Position, inputs: EpochInputs) -> None:
        seed_everything(self.settings.seed, epoch)
        started, waited_s = time.monotonic(), inputs.waited_s
        with Utilisation(self.device) as utilisation:
            results = self._train_epoch(epoch, position, inputs)
        trained_s = time.monotonic() - started
        metrics = self.task.metrics(self._validate())
        entry = {
            "epoch": epoch,
            "phase": position.phase.name,
            "steps": self.state.steps_done,
            **results.means(),
            **scalars(metrics, "validation/"),
            **self.guard.statistics(),
            **utilisation.figures(),
            "train_seconds": round(trained_s, 2),
            "data_wait_s": round(inputs.waited_s - waited_s, 2),
            "validation_seconds": round(time.monotonic() - started - trained_s, 2),
            "rows_per_second": round(results.rows / max(trained_s, 1e-9), 2),
        }
        self.guard.end_epoch()
        self._conclude(entry, of_first_rank(metrics[self.task.watch], self.host.world_size), position)

    # -- training --------------------------------------------------------------------------------------------

    def _training_rows(self) -> TrainingRows:
        rank, world_size = self.host.rank, self.host.world_size
        return TrainingRows(self.task, self.rows[TRAIN], self.settings.batch_size, rank, world_size, self.stream)

    def _train_epoch(self, epoch: int, position: Position, inputs: EpochInputs) -> EpochResults:
        self._freeze(position)
        waited_s, draws = inputs.waited_s, inputs.draws()
        steps = -(-draws // max(1, self.settings.batch_size // self.host.world_size))
        stepper = Stepper(
            self.task, self.model, self.optimizer, self.guard, self.settings, self.device, self.host.world_size
        )
        label = f"{self.task.name} epoch {epoch + 1}/{total_epochs(self.phases)}"
        results = EpochResults(label, draws, self.task.name)
        for step, batch in enumerate(inputs.batches()):
            self._set_learning_rates(position, step / steps)
            fraction = (epoch + step / steps) / total_epochs(self.phases)
            result = stepper.step(batch, Progress(epoch, self.state.steps_done, fraction))
            results.add(result, inputs.waited_s - waited_s)
            if self.average:
                self.average.update(self.model)
            self.state.steps_done += 1
        results.read(inputs.waited_s - waited_s)
        results.close()
        results.enter_row_losses(self.row_loss)
        inputs.learnt(epoch, self.row_loss)
        if results.rows < draws:
            logger.warning("%d of %d training rows could not be read", draws - results.rows, draws)
        return results

    def _freeze(self, position: Position) -> None:
        """Gradients and batch statistics only where the phase trains."""
        self.model.train()
        for name, group in self.task.parameter_groups(self.model).items():
            trained = name in position.phase.learning_rates
            for parameter in self.groups[name]:
                parameter.requires_grad_(trained)
            if isinstance(group, nn.Module) and not trained:
                group.eval()

    def _set_learning_rates(self, position: Position, epoch_share: float) -> None:
        for group in self.optimizer.param_groups:
            peak = position.phase.learning_rates.get(group["name"], 0.0)
            group["lr"] = learning_rate(position.phase, peak, position.epochs_done + epoch_share)

    # -- validation, checkpoints -----------------------------------------------------------------------------

    def _validate(self) -> Batch:
        prepare = self.task.prepare(VALIDATION, 0)
        batches = self.stream(self.rows[VALIDATION], prepare, self.guard.micro_batch)
        with closing(ReadAhead(self.make_ready(batch) for batch in batches)) as ready:
            return collect_outputs(self.task, self.judged_model, ready, self.device, self.settings.precision)

    def _conclude(self, entry: dict[str, Any], watched: float, position: Position) -> None:
        """Keep the best weights, decide about stopping, record and checkpoint."""
        state = self.state
        if state.best_metric is None or watched > state.best_metric:
            state.best_metric, state.best_epoch, state.epochs_without_gain = watched, entry["epoch"], 0
            if self.host.rank == 0:
                self.best_folder.mkdir(parents=True, exist_ok=True)
                checkpoint.save_model(self.best_folder, self.task.state(self.judged_model))
        elif position.is_last_phase:
            state.epochs_without_gain += 1
        state.epochs_done = int(entry["epoch"]) + 1
        state.micro_batch = self.guard.micro_batch
        out_of_patience = 0 < self.settings.patience <= state.epochs_without_gain
        state.finished = out_of_patience or state.epochs_done == total_epochs(self.phases)
        state.history.append(entry)
        if self.record:
            self.record.epoch(entry)
        logger.info("%s epoch %d: %s", self.task.name, entry["epoch"] + 1, _headline(entry, self.task.watch))
        self.host.report({**entry, self.task.watch: watched}, self._write_checkpoint)

    def _write_checkpoint(self, folder: Path) -> None:
        checkpoint.save(folder, self.task.state(self.model), self.optimizer, self.state, self.row_loss)
        if self.average:
            checkpoint.save_model(folder, self.task.state(self.average.model), checkpoint.AVERAGE)

    def _restore(self) -> None:
        folder = self.host.latest_checkpoint()
        if folder is not None:
            self.task.load_state(self.model, checkpoint.load_model(folder))
            self.state, row_loss = checkpoint.load_run(folder, self.optimizer)
            if row_loss is not None:
                self.row_loss = row_loss
            if self.average:
                self.task.load_state(self.average.model, checkpoint.load_model(folder, checkpoint.AVERAGE))
                self.average.steps = self.state.steps_done
            logger.info("%s: going on after epoch %d", self.task.name, self.state.epochs_done)
        if self.record:  # without a checkpoint too: a kill may fall between an epoch's line and its checkpoint
            self.record.restore(self.state.history)


def _headline(entry: dict[str, Any], watch: str) -> str:
    names: Sequence[str] = ("train/loss", f"validation/{watch}", "rows_per_second", "data_wait_s")
    return "  ".join(f"{name} {entry[name]:.4g}" for name in names if name in entry)
