"""A stage trained after those that it needs: what jobs/train_*.py call."""

from typing import TYPE_CHECKING

from meteo_ray.stage import Stage
from meteo_ray.stages import CASCADE
from meteo_ray.training.config import TrainingJob

if TYPE_CHECKING:
    from meteo_ray.training.inputs import TaskInputs


def stage_inputs(stage: Stage, job: TrainingJob) -> "TaskInputs":
    """A training job's inputs, checked, with what earlier stages answer where the stage learns from that."""
    from meteo_ray.training.inputs import check_inputs

    inputs = check_inputs(job) if stage.read_inputs is None else stage.read_inputs(job)
    # Ray and torch take seconds to import; --help, a wrong flag and a missing folder should not.
    from meteo_ray.cascade.earlier_answers import with_earlier_answers

    if stage.require is not None:
        stage.require(job, inputs)
    return with_earlier_answers(stage, inputs, CASCADE, job.training.use_gpu)


def train_stage(stage: Stage, job: TrainingJob) -> None:
    """Check, train, write the bundle and print a summary line."""
    inputs = stage_inputs(stage, job)
    from meteo_ray.training.launch import summary_line, train

    at_once = stage.at_once(job)
    metrics = train(job, stage.make_task(job, inputs), inputs) if at_once is None else at_once(inputs)
    print(summary_line(stage.name, inputs.models, metrics, stage.training_headline))
