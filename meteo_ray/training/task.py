"""What a task tells the training loop. The loop knows nothing else about gates, charts, stations or radars.

A stage added later is a subclass of `Task` in its own folder, and no line in this package changes. Tasks never import
Ray: they hand over Arrow tables and plain callables, and the loop decides where those run.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from meteo_ray.batch import Batch

Prepare = Callable[[Batch], Batch]

Share = Callable[[Batch], Batch]
"""This training worker's rows, as columns -> those of all workers, in the order of the workers."""

Collect = Callable[[str, Prepare], Batch]
"""(label for the progress line, prepare) -> every training row that can be read, in order, as `prepare` makes it."""


@dataclass(frozen=True)
class Phase:
    """A stretch of epochs with its own set of trained parameters.

    `learning_rates` maps a parameter group's name to its peak rate. A group that is not named is frozen: no gradient,
    and its normalisation layers keep their statistics.
    """

    name: str
    epochs: int
    learning_rates: Mapping[str, float]
    warmup_epochs: float = 0.0
    minimum_learning_rate: float = 1e-6


@dataclass(frozen=True)
class Progress:
    """Where training stands when a loss is computed; schedules such as teacher forcing read it.

    `epoch` counts from 0 over all phases, `step` over all optimiser steps, `fraction` is step / all steps in [0, 1).
    """

    epoch: int
    step: int
    fraction: float


@dataclass(frozen=True)
class Loss:
    """A mean over the micro-batch to be differentiated, its parts for the log, and (optionally) each row's difficulty.

    `parts` and `rows`, float32 `(batch,)`, are detached. `rows` ends up in `Feedback.row_loss`.
    """

    total: torch.Tensor
    parts: Mapping[str, torch.Tensor] = field(default_factory=dict)
    rows: torch.Tensor | None = None


@dataclass(frozen=True)
class Feedback:
    """What the last epoch taught about single rows; `Task.order` may draw hard ones more often.

    `row_loss` is float32 `(rows,)`, NaN where a row has not been seen yet.
    """

    row_loss: np.ndarray


class Task(ABC):
    """One trainable stage."""

    name: ClassVar[str]
    watch: ClassVar[str]
    """The validation metric that early stopping and the best checkpoint follow; higher is better."""
    prepares_in_process: ClassVar[bool] = False
    """Whether `prepare` only cuts numbers that are in memory: then the loop calls it itself, without CPU workers."""

    # -- data: decided on small tables, prepared by CPU workers ------------------------------------------------------

    @abstractmethod
    def rows(self, index: pa.Table, split: str) -> pa.Table:
        """The rows of one split that this task can use. Raises UsageError when there are none."""

    @abstractmethod
    def order(self, rows: pa.Table, epoch: int, feedback: Feedback | None) -> np.ndarray:
        """Positions in `rows` to draw in this epoch, int64 `(draws,)`. A pure function of its arguments and a seed.

        It may be called before the epoch before has ended, see `follows_losses`.
        """

    @abstractmethod
    def prepare(self, split: str, epoch: int) -> Prepare:
        """A picklable callable that CPU workers apply to batches of rows: paths in, arrays out.

        It keeps the row count and adds `ok` (bool); the loop leaves out rows that are not ok and counts them. A column
        UNREADABLE (meteo_ray.batch) may say why, for the log.
        """

    @abstractmethod
    def collate(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Prepared numpy rows -> CPU tensors (padding, tokenising); images stay uint8 until they are on the device.

        Called in the thread that reads ahead: it must not draw from the global generators.
        """

    # -- model ---------------------------------------------------------------------------------------------------------

    @abstractmethod
    def build(self) -> nn.Module:
        """The module to train, on the CPU, initialised (pre-trained weights included)."""

    @abstractmethod
    def parameter_groups(self, model: nn.Module) -> Mapping[str, nn.Module | list[nn.Parameter]]:
        """Named groups that phases refer to; together they hold every parameter that may be trained."""

    def compiled_parts(self, model: nn.Module) -> list[nn.Module]:
        """The modules that `--training.compile` compiles, each by itself: those whose inputs differ in nothing but
        their number of rows. torch compiles others anew for each shape, and gives up after eight."""
        return [model]

    @abstractmethod
    def phases(self) -> list[Phase]: ...

    @abstractmethod
    def loss(self, model: nn.Module, batch: dict[str, torch.Tensor], progress: Progress) -> Loss:
        """Mean loss of a micro-batch on the device. Called under autocast; losses that need float32 cast themselves."""

    def after_epoch(self, model: nn.Module, share: Share) -> None:  # noqa: B027  # most tasks have nothing to do here
        """What is solved for between epochs, in `model` itself, with what `loss` has seen in this one.

        Called in every worker when an epoch's steps are done, before its checkpoint and its validation. A worker has
        seen its own rows; what it makes of them with `share` must be the same in all.
        """

    # -- validation and result -----------------------------------------------------------------------------------------

    @abstractmethod
    def outputs(self, model: nn.Module, batch: dict[str, torch.Tensor]) -> Batch:
        """What validation collects of one batch (model in eval mode, no gradient); concatenated over the split."""

    @abstractmethod
    def metrics(self, outputs: Batch) -> dict[str, float]:
        """Metrics of a whole split's outputs; `self.watch` is among them."""

    @abstractmethod
    def export(self, model: nn.Module, outputs: Batch, folder: Path) -> dict[str, Any]:
        """Write the bundle's files except SHA256SUMS and metrics.json into `folder`; return the metrics to record.

        `outputs` are the best model's on the validation split: thresholds and calibration are fitted on them.
        """

    # -- optional ---------------------------------------------------------------------------------------------------

    def before_training(self, collect: Collect) -> None:  # noqa: B027  # most tasks have nothing to do here
        """For what is learnt from all rows at once, beside the network: a pure function of the data and the seed.

        Called in every worker before the first epoch; when a run goes on only where `recall` finds nothing.
        """

    def keep(self, folder: Path) -> None:  # noqa: B027  # what is learnt again in seconds need not be kept
        """Write what `before_training` has learnt into an empty folder, for a run that goes on."""

    def recall(self, folder: Path) -> bool:
        """Take what `keep` wrote; False where there is nothing, so that `before_training` must run again.

        Raises:
            UsageError: when it is damaged; then too it runs again.
        """
        return False

    def follows_losses(self, epoch: int) -> bool:
        """Whether `order` reads `feedback` in this epoch.

        Where it does not, the epoch's first batches are prepared while the epoch before is still learnt and validated.
        """
        return True

    def origin(self) -> str:
        """Digests of what the result depends on besides config and index, such as a file of weights.

        With another one it is another run.
        """
        return ""

    def files(self) -> list[Path]:
        """Files and folders of this machine that a training worker reads besides the data folder, such as first
        weights: a worker on another machine must find them there too."""
        return []

    def state(self, model: nn.Module) -> dict[str, torch.Tensor]:
        """The tensors that a checkpoint holds; adapters override it to leave the frozen base out."""
        return model.state_dict()

    def load_state(self, model: nn.Module, state: dict[str, torch.Tensor]) -> None:
        model.load_state_dict(state)
