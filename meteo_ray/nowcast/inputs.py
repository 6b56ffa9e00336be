"""What a training of a nowcast is given: the frames of the events, with their splits, as the loop's index."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from meteo_ray.nowcast.config import TrainNowcastJob
from meteo_ray.nowcast.radar.events import read_frames, with_splits
from meteo_ray.nowcast.radar.library import pysteps

if TYPE_CHECKING:
    from meteo_ray.training.inputs import TaskInputs


def read_inputs(job: TrainNowcastJob) -> "TaskInputs":
    """Find the frames and split the events. Raises UsageError naming what is missing, and what to do."""
    from meteo_ray.training.inputs import without_images

    def index(data: Path) -> pa.Table:
        pysteps()
        return with_splits(read_frames(data), job.nowcast.test_events, job.nowcast.validation_events)

    return without_images(job, index)
