"""What a training of a nowcast is given: the frames of the events, with their splits, as the loop's index."""

from typing import TYPE_CHECKING

from meteo_ray.errors import UsageError
from meteo_ray.nowcast.config import TrainNowcastJob
from meteo_ray.nowcast.radar.events import read_frames, with_splits
from meteo_ray.nowcast.radar.library import pysteps

if TYPE_CHECKING:
    from meteo_ray.training.inputs import TaskInputs


def read_inputs(job: TrainNowcastJob) -> "TaskInputs":
    """Find the frames and split the events. Raises UsageError naming what is missing, and what to do."""
    from meteo_ray.training.inputs import TaskInputs
    from meteo_ray.vocabulary import choose_vocabulary

    for name in ("data", "models"):
        if getattr(job, name) is None:
            raise UsageError(f"--{name} is required (or set METEO_RAY_{name.upper()})")
    assert job.data is not None
    assert job.models is not None
    pysteps()
    data, models = job.data.resolve(), job.models.resolve()
    frames = with_splits(read_frames(data), job.nowcast.test_events, job.nowcast.validation_events)
    cache = (job.cache or models / "cache").resolve()
    return TaskInputs(data, models, cache, frames, choose_vocabulary(job.labels, data))
