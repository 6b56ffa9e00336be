"""Station forecasts as the rest of the system knows them: trained and swept, but no part of the cascade of images."""

from typing import TYPE_CHECKING

from meteo_ray.forecast.config import TrainForecastJob
from meteo_ray.stage import Stage

if TYPE_CHECKING:
    from meteo_ray.forecast.task import ForecastTask
    from meteo_ray.training.inputs import TaskInputs


def _task(job: TrainForecastJob, inputs: "TaskInputs") -> "ForecastTask":
    from meteo_ray.forecast.series.source import load_source
    from meteo_ray.forecast.task import ForecastTask

    source = load_source(job.forecast.source).model_dump(mode="json")
    return ForecastTask(job.forecast, inputs.index, source, job.training.seed)


def _inputs(job: TrainForecastJob) -> "TaskInputs":
    from meteo_ray.forecast.inputs import read_inputs

    return read_inputs(job)


FORECAST = Stage(
    name="forecast",
    job=TrainForecastJob,
    make_task=_task,
    training_headline=("skill", "mse", "rival_mse", "crps"),
    objectives=("skill", "negative_crps"),
    read_inputs=_inputs,
)
