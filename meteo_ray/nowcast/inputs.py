"""What a training of a nowcast is given: the frames of the events, with their splits, as the loop's index."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from meteo_ray.nowcast.config import NowcastTraining, TrainNowcastJob
from meteo_ray.nowcast.radar.events import EventsBySplit, by_split, read_frames, with_splits
from meteo_ray.nowcast.radar.fields import RadarFields
from meteo_ray.nowcast.radar.library import pysteps
from meteo_ray.nowcast.windows import Windows, require_windows
from meteo_ray.schema import TEST, VALIDATION

if TYPE_CHECKING:
    from meteo_ray.training.inputs import TaskInputs


def read_inputs(job: TrainNowcastJob) -> "TaskInputs":
    """Find the frames and split the events. Raises UsageError naming what is missing or unfit, and what to do."""
    from meteo_ray.training.inputs import without_images

    def index(data: Path) -> pa.Table:
        pysteps()
        return with_splits(read_frames(data), job.nowcast.test_events, job.nowcast.validation_events)

    inputs = without_images(job, index)
    fields = RadarFields(inputs.data, inputs.index, job.nowcast.grid_km, inputs.cache)
    fields.require_grid(fields.events)
    _require_windows(job.nowcast, fields, by_split(inputs.index))
    return inputs


def _require_windows(settings: NowcastTraining, fields: RadarFields, events: EventsBySplit) -> None:
    """Every event that validates or tests; a training event too short for a window may stand beside longer ones."""
    advice = "name longer ones with --nowcast.{}-events, or give --nowcast.leads less"
    require_windows(Windows(settings, fields), events[VALIDATION], advice.format("validation"))
    require_windows(Windows(settings, fields, stride=1), events[TEST], advice.format("test"))
