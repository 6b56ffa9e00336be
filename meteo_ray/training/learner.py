"""The model that is learnt and what learns it: groups of parameters, the optimiser, averaged weights."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from meteo_ray.errors import UsageError
from meteo_ray.training import checkpoint
from meteo_ray.training.checkpoint import RunState
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.device import place
from meteo_ray.training.distributed import Workers
from meteo_ray.training.learning_rate import Position, learning_rate
from meteo_ray.training.task import Phase, Task
from meteo_ray.training.weight_averaging import WeightAverage


class Learner:
    """A task's model on `device`; its first weights are drawn from the global generators."""

    def __init__(self, task: Task, settings: LoopSettings, device: torch.device) -> None:
        self._task = task
        self.model = place(task.build(), device)
        if settings.compile:
            for part in task.compiled_parts(self.model):
                part.compile(dynamic=True)
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
        """Gradients and batch statistics only where the phase trains.

        Raises:
            UsageError: when what training needs besides its rows does not fit into memory.
        """
        self.model.train()
        for name, group in self._task.parameter_groups(self.model).items():
            trained = name in phase.learning_rates
            for parameter in self._groups[name]:
                parameter.requires_grad_(trained)
            if isinstance(group, nn.Module) and not trained:
                group.eval()
        try:
            self._take_memory()
        except torch.OutOfMemoryError:
            raise UsageError(
                f"{self._task.name}: the weights with their gradients and the optimiser's state do not fit into the "
                "GPU's memory: use a smaller model, or train less of it"
            ) from None

    def _take_memory(self) -> None:
        """Let the optimiser take its memory now: then its steps need none, and a batch that does not fit is found while
        it is computed, where it can be computed again in smaller pieces.

        A step of rate 0 on gradients of 0 changes no weight; it is not counted.
        """
        trained = [parameter for parameters in self._groups.values() for parameter in parameters]
        new = [found for found in trained if found.requires_grad and not self.optimizer.state.get(found)]
        if not new:
            return
        self.optimizer.zero_grad(set_to_none=True)
        for parameter in new:
            parameter.grad = torch.zeros_like(parameter)
        for group in self.optimizer.param_groups:
            group["lr"] = 0.0
        self.optimizer.step()
        for parameter in new:
            self.optimizer.state[parameter]["step"].zero_()
        self.optimizer.zero_grad(set_to_none=True)

    def set_learning_rates(self, position: Position, epoch_share: float) -> None:
        """Those of the moment at which `epoch_share`, in [0, 1), of the epoch is done."""
        for group in self.optimizer.param_groups:
            peak = position.phase.learning_rates.get(group["name"], 0.0)
            group["lr"] = learning_rate(position.phase, peak, position.epochs_done + epoch_share)

    def stepped(self) -> None:
        """The optimiser has made a step: averaged weights follow it."""
        if self._average:
            self._average.update(self.model)

    def join(self, workers: Workers) -> None:
        """Running statistics of the layers that are learnt become the mean over the workers; weights are the same in
        all of them."""
        for model in (self.model,) if self._average is None else (self.model, self._average.model):
            modules = zip(self.model.modules(), model.modules(), strict=True)
            found = [buffer for learnt, module in modules if learnt.training for buffer in module.buffers(False)]
            workers.average([buffer for buffer in found if buffer.is_floating_point()])

    def settled(self) -> None:
        """The task has solved for something between epochs, in buffers of the model that is learnt: the averaged model
        takes over what is no mean of anything, numbers that are not floating-point, as after every step."""
        if self._average:
            for kept, new in zip(self._average.model.buffers(), self.model.buffers(), strict=True):
                if not new.is_floating_point():
                    kept.copy_(new)

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

    def restore(self, folder: Path, steps_done: int) -> np.ndarray | None:
        """Go on from a checkpoint; the row losses come back."""
        self._task.load_state(self.model, checkpoint.load_model(folder))
        if self._average:
            self._task.load_state(self._average.model, checkpoint.load_model(folder, checkpoint.AVERAGE))
            self._average.steps = steps_done
        return checkpoint.load_optimizer(folder, self.optimizer)
