"""The steps of one epoch: batches, learning rates, optimiser steps, and what they leave."""

from meteo_ray.training.epoch_inputs import EpochInputs
from meteo_ray.training.gradient_steps import Stepper
from meteo_ray.training.learner import Learner
from meteo_ray.training.learning_rate import Position
from meteo_ray.training.step_results import EpochResults
from meteo_ray.training.task import Progress
from meteo_ray.training.unreadable import UnreadableRows


class EpochSteps:
    """Learns one epoch after the other.

    Args:
        stage: for progress lines and errors.
        epochs: of the whole run.
        batch_size: rows of this worker's share of a batch.
        max_unreadable: the share of an epoch's rows that may be lost.
    """

    def __init__(
        self, stage: str, learner: Learner, stepper: Stepper, epochs: int, batch_size: int, max_unreadable: float
    ) -> None:
        self._stage, self._learner, self._stepper = stage, learner, stepper
        self._epochs, self._batch_size, self._max_unreadable = epochs, batch_size, max_unreadable

    def learn(
        self, epoch: int, position: Position, inputs: EpochInputs, steps_done: int
    ) -> tuple[EpochResults, UnreadableRows]:
        """One epoch, after `steps_done` optimiser steps of the run; what it leaves, and the rows that it lost.

        Raises:
            UsageError: as `EpochResults.add` does, and when too many rows cannot be read.
        """
        self._learner.begin(position.phase)
        waited_s, draws = inputs.waited_s, inputs.draws()
        steps = -(-draws // self._batch_size)
        unreadable = UnreadableRows(self._stage, "training", draws, self._max_unreadable)
        results = EpochResults(f"{self._stage} epoch {epoch + 1}/{self._epochs}", draws, self._stage)
        for step, batch in enumerate(inputs.batches()):
            unreadable.add(batch.lost)
            self._learner.set_learning_rates(position, step / steps)
            progress = Progress(epoch, steps_done + step, (epoch + step / steps) / self._epochs)
            results.add(self._stepper.step(batch, progress), inputs.waited_s - waited_s)
            self._learner.stepped()
        results.read(inputs.waited_s - waited_s)
        results.close()
        unreadable.tell()
        return results, unreadable
