"""Radar nowcasts as the rest of the system knows them: trained and swept, but no part of the cascade of images."""

from typing import TYPE_CHECKING

from meteo_ray.nowcast.config import TrainNowcastJob
from meteo_ray.stage import Stage

if TYPE_CHECKING:
    from meteo_ray.nowcast.task import NowcastTask
    from meteo_ray.training.inputs import TaskInputs


def _task(job: TrainNowcastJob, inputs: "TaskInputs") -> "NowcastTask":
    from meteo_ray.nowcast.radar.events import by_split
    from meteo_ray.nowcast.radar.fields import RadarFields
    from meteo_ray.nowcast.task import NowcastTask

    fields = RadarFields(inputs.data, inputs.index, job.nowcast.grid_km, inputs.cache)
    return NowcastTask(job.nowcast, fields, job.training.seed, by_split(inputs.index))


def _inputs(job: TrainNowcastJob) -> "TaskInputs":
    from meteo_ray.nowcast.inputs import read_inputs

    return read_inputs(job)


NOWCAST = Stage(
    name="nowcast",
    job=TrainNowcastJob,
    make_task=_task,
    training_headline=("skill", "mse", "rival_mse", "csi", "rival_csi"),
    objectives=("skill", "csi"),
    read_inputs=_inputs,
)
