"""The trainable stages by name: the config a job reads, and the task made from it.

A stage added later adds one line here, a folder with its task and predictor, and a job. Tasks are imported when they
are made: training the gate should not wait for transformers to load.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from meteo_ray.elements.config import TrainElementsJob
from meteo_ray.gate.config import TrainGateJob
from meteo_ray.products.config import TrainProductsJob
from meteo_ray.training.config import TrainingJob
from meteo_ray.training.launch import TaskInputs, check_inputs, summary_line, train
from meteo_ray.training.task import Task


@dataclass(frozen=True)
class Stage:
    """How a stage is trained: its job's config class, its task, and the metrics worth a line.

    `in_trials` are settings for a sweep's trials: what they save does not change the watched metric.
    """

    job: type[TrainingJob]
    make_task: Callable[[Any, TaskInputs], Task]
    headline: tuple[str, ...]
    in_trials: Mapping[str, Any] = field(default_factory=dict)


def _gate(job: TrainGateJob, inputs: TaskInputs) -> Task:
    from meteo_ray.gate.task import GateTask

    return GateTask(job.gate, inputs.data, inputs.vocabulary, job.training.seed, inputs.cache)


def _elements(job: TrainElementsJob, inputs: TaskInputs) -> Task:
    from meteo_ray.elements.task import ElementsTask

    training = job.training
    return ElementsTask(job.elements, inputs.data, inputs.vocabulary, training.seed, inputs.cache, training.batch_size)


def _products(job: TrainProductsJob, inputs: TaskInputs) -> Task:
    from meteo_ray.products.task import ProductsTask

    return ProductsTask(job.products, inputs.data, inputs.vocabulary, job.training.seed, inputs.cache)


STAGES: dict[str, Stage] = {
    "gate": Stage(
        TrainGateJob,
        _gate,
        ("auc", "f1", "precision", "recall", "network_auc", "trees_auc"),
        {"gate.descriptors": False},
    ),
    "elements": Stage(TrainElementsJob, _elements, ("map", "micro_f1", "macro_f1")),
    "products": Stage(TrainProductsJob, _products, ("top1", "top3", "top5", "ece")),
}


def train_stage(name: str, job: TrainingJob) -> None:
    """Check, train, write the bundle and print a summary line; what jobs/train_*.py call."""
    stage = STAGES[name]
    inputs = check_inputs(job)
    metrics = train(job, stage.make_task(job, inputs), inputs)
    print(summary_line(name, inputs.models, metrics, stage.headline))
