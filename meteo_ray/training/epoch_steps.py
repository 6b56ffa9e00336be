"""The steps of one epoch: batches, learning rates, optimiser steps, and what they leave."""

import logging

from meteo_ray.training.epoch_inputs import EpochInputs
from meteo_ray.training.gradient_steps import Stepper
from meteo_ray.training.learner import Learner
from meteo_ray.training.learning_rate import Position
from meteo_ray.training.step_results import EpochResults
from meteo_ray.training.task import Progress

logger = logging.getLogger("meteo_ray")


class EpochSteps:
    """Learns one epoch after the other.

    Args:
        stage: for progress lines and errors.
        epochs: of the whole run.
        batch_size: rows of this worker's share of a batch.
    """

    def __init__(self, stage: str, learner: Learner, stepper: Stepper, epochs: int, batch_size: int) -> None:
        self._stage, self._learner, self._stepper = stage, learner, stepper
        self._epochs, self._batch_size = epochs, batch_size

    def learn(self, epoch: int, position: Position, inputs: EpochInputs, steps_done: int) -> EpochResults:
        """One epoch, after `steps_done` optimiser steps of the run. Raises UsageError as `EpochResults.add` does."""
        self._learner.begin(position.phase)
        waited_s, draws = inputs.waited_s, inputs.draws()
        steps = -(-draws // self._batch_size)
        results = EpochResults(f"{self._stage} epoch {epoch + 1}/{self._epochs}", draws, self._stage)
        for step, batch in enumerate(inputs.batches()):
            self._learner.set_learning_rates(position, step / steps)
            progress = Progress(epoch, steps_done + step, (epoch + step / steps) / self._epochs)
            results.add(self._stepper.step(batch, progress), inputs.waited_s - waited_s)
            self._learner.stepped()
        results.read(inputs.waited_s - waited_s)
        results.close()
        if results.rows < draws:
            logger.warning("%d of %d training rows could not be read", draws - results.rows, draws)
        return results
