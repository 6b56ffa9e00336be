"""The model that is learnt and what learns it: groups of parameters, the optimiser, averaged weights."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from meteo_ray.training import checkpoint
from meteo_ray.training.checkpoint import RunState
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.device import place
from meteo_ray.training.learning_rate import Position, learning_rate
from meteo_ray.training.task import Phase, Task
from meteo_ray.training.weight_averaging import WeightAverage


class Learner:
    """A task's model on `device`; its first weights are drawn from the global generators."""

    def __init__(self, task: Task, settings: LoopSettings, device: torch.device) -> None:
        self._task = task
        self.model = place(task.build(), device, settings.compile)
        self._groups = {
            name: list(group.parameters()) if isinstance(group, nn.Module) else list(group)
            for name, group in task.parameter_groups(self.model).items()
        }
        self.optimizer = torch.optim.AdamW(
            [{"params": parameters, "lr": 0.0, "name": name} for name, parameters in self._groups.items()],
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self._average = WeightAverage(self.model, settings.average_decay) if settings.average_decay else None

    @property
    def judged(self) -> nn.Module:
        """The model that is validated and kept: the averaged one where there is one."""
        return self.model if self._average is None else self._average.model

    def begin(self, phase: Phase) -> None:
        """Gradients and batch statistics only where the phase trains."""
        self.model.train()
        for name, group in self._task.parameter_groups(self.model).items():
            trained = name in phase.learning_rates
            for parameter in self._groups[name]:
                parameter.requires_grad_(trained)
            if isinstance(group, nn.Module) and not trained:
                group.eval()

    def set_learning_rates(self, position: Position, epoch_share: float) -> None:
        """Those of the moment at which `epoch_share`, in [0, 1), of the epoch is done."""
        for group in self.optimizer.param_groups:
            peak = position.phase.learning_rates.get(group["name"], 0.0)
            group["lr"] = learning_rate(position.phase, peak, position.epochs_done + epoch_share)

    def stepped(self) -> None:
        """The optimiser has made a step: averaged weights follow it."""
        if self._average:
            self._average.update(self.model)

    # -- on disk -------------------------------------------------------------------------------------------------

    def keep_judged(self, folder: Path) -> None:
        """Write the judged weights; `take_judged` reads them."""
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint.save_model(folder, self._task.state(self.judged))

    def take_judged(self, folder: Path) -> None:
        self._task.load_state(self.judged, checkpoint.load_model(folder))

    def save(self, folder: Path, state: RunState, row_loss: np.ndarray) -> None:
        """Write a checkpoint into an existing folder, see `checkpoint.save`."""
        checkpoint.save(folder, self._task.state(self.model), self.optimizer, state, row_loss)
        if self._average:
            checkpoint.save_model(folder, self._task.state(self._average.model), checkpoint.AVERAGE)

    def restore(self, folder: Path) -> tuple[RunState, np.ndarray | None]:
        """Go on from a checkpoint; the run's state and the row losses come back."""
        self._task.load_state(self.model, checkpoint.load_model(folder))
        state, row_loss = checkpoint.load_run(folder, self.optimizer)
        if self._average:
            self._task.load_state(self._average.model, checkpoint.load_model(folder, checkpoint.AVERAGE))
            self._average.steps = state.steps_done
        return state, row_loss
