"""The steps of one epoch: batches, learning rates, optimiser steps, and what they leave."""

from meteo_ray.batch import concatenate
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.distributed import Workers
from meteo_ray.training.epoch_inputs import EpochInputs
from meteo_ray.training.gradient_steps import Stepper
from meteo_ray.training.learner import Learner
from meteo_ray.training.learning_rate import Position
from meteo_ray.training.ready_batches import ReadyBatch
from meteo_ray.training.step_results import EpochResults
from meteo_ray.training.task import Progress, Task
from meteo_ray.training.unreadable import UnreadableRows


class EpochSteps:
    """Learns one epoch after the other.

    Args:
        epochs: of the whole run.
    """

    def __init__(
        self, task: Task, learner: Learner, stepper: Stepper, epochs: int, settings: LoopSettings, workers: Workers
    ) -> None:
        self._task, self._stage, self._learner, self._stepper = task, task.name, learner, stepper
        self._epochs, self._settings, self._workers = epochs, settings, workers
        self._nothing = ReadyBatch.empty(task)

    def learn(
        self, epoch: int, position: Position, inputs: EpochInputs, steps_done: int
    ) -> tuple[EpochResults, UnreadableRows]:
        """One epoch, after `steps_done` optimiser steps of the run; what it leaves, and the rows that it lost.

        Raises:
            UsageError: as `EpochResults.add` does, and when too many rows cannot be read.
        """
        self._learner.begin(position.phase)
        self._stepper.begin(position.phase)
        waited_s, draws = inputs.waited_s, inputs.draws()
        steps = -(-draws // self._settings.batch_size)
        unreadable = UnreadableRows(self._stage, "training", draws, self._settings.max_unreadable)
        label = f"{self._stage} epoch {epoch + 1}/{self._epochs}"
        results = EpochResults(label, draws // self._workers.count, self._stage)
        for step, batch in enumerate(self._workers.in_step(inputs.batches(), steps, self._nothing)):
            unreadable.add(batch.lost)
            self._learner.set_learning_rates(position, step / steps)
            progress = Progress(epoch, steps_done + step, (epoch + step / steps) / self._epochs)
            results.add(self._stepper.step(batch, progress), inputs.waited_s - waited_s)
            self._learner.stepped()
        results.read(inputs.waited_s - waited_s)
        results.close()
        results.join(self._workers)
        unreadable.join(self._workers)
        unreadable.tell()
        self._learner.join(self._workers)
        self._task.after_epoch(self._learner.model, lambda own: concatenate(self._workers.all_of(own)))
        self._learner.settled()
        return results, unreadable
