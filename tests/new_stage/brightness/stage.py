"""The brightness stage as the rest of the system knows it."""

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from meteo_ray.brightness.config import TrainBrightnessJob
from meteo_ray.judging.settings import JudgingJob
from meteo_ray.stage import Judging, Stage

if TYPE_CHECKING:
    from meteo_ray.brightness.evaluation import BrightnessEvaluation
    from meteo_ray.brightness.predictor import BrightnessPredictor
    from meteo_ray.brightness.task import BrightnessTask
    from meteo_ray.training.inputs import TaskInputs


def _task(job: TrainBrightnessJob, inputs: "TaskInputs") -> "BrightnessTask":
    from meteo_ray.brightness.task import BrightnessTask

    return BrightnessTask(job.brightness, inputs.data, inputs.vocabulary, job.training.seed)


def _load(*arguments: Any, **options: Any) -> "BrightnessPredictor":
    from meteo_ray.brightness.predictor import BrightnessPredictor

    return BrightnessPredictor.load(*arguments, **options)


def _options(job: JudgingJob) -> dict[str, Any]:
    return {}


def _evaluation() -> "BrightnessEvaluation":
    from meteo_ray.brightness.evaluation import BrightnessEvaluation

    return BrightnessEvaluation()


BRIGHTNESS = Stage(
    name="brightness",
    job=TrainBrightnessJob,
    make_task=_task,
    training_headline=("negative_error",),
    judging=Judging(
        columns=pa.schema([("brightness", pa.float32()), ("paper", pa.string())]),
        load=_load,
        options=_options,
        evaluation=_evaluation,
        needs=("gate",),
        tallies={"paper": "papers"},
        histograms={"brightness": "brightness"},
    ),
)
