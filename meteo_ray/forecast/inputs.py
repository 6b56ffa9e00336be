"""What a training of a forecast is given: the station files, read and split, as the loop's index."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from meteo_ray.errors import UsageError
from meteo_ray.forecast.config import ForecastTraining, SplitSettings, TrainForecastJob
from meteo_ray.forecast.series.panel import Panel, to_table
from meteo_ray.forecast.series.reading import read_panel
from meteo_ray.forecast.series.source import load_source
from meteo_ray.forecast.series.splits import split_days
from meteo_ray.forecast.windows import targets_of

if TYPE_CHECKING:
    from meteo_ray.training.inputs import TaskInputs


def read_inputs(job: TrainForecastJob) -> "TaskInputs":
    """Read, check and split. Raises UsageError naming what is missing or wrong, and what to do."""
    from meteo_ray.training.inputs import without_images

    def index(data: Path) -> pa.Table:
        panel, _ = read_panel(load_source(job.forecast.source), data)
        panel = chosen(panel, job.forecast)
        return to_table(panel, split_of(panel, job.forecast.split))

    return without_images(job, index)


def chosen(panel: Panel, settings: ForecastTraining) -> Panel:
    """Only the stations and quantities that the settings name. Raises UsageError for one that is not there."""
    unknown = [name for name in settings.stations if name not in panel.stations]
    if unknown:
        raise UsageError(f"--forecast.stations {' '.join(unknown)}: there are {', '.join(panel.stations)}")
    panel = panel.of_stations(settings.stations or panel.stations)
    targets = targets_of(settings, panel)
    missing = [name for name in settings.inputs if name not in panel.quantities]
    if missing:
        raise UsageError(f"--forecast.inputs {' '.join(missing)}: measured are {', '.join(panel.quantities)}")
    wanted = [name for name in panel.quantities if not settings.inputs or name in (*settings.inputs, *targets)]
    columns = [panel.quantities.index(name) for name in wanted]
    return Panel(panel.days, panel.stations, tuple(wanted), panel.values[:, :, columns], panel.places)


def split_of(panel: Panel, settings: SplitSettings) -> np.ndarray:
    """The split of every day."""
    days = {
        name: None if getattr(settings, name) is None else np.datetime64(getattr(settings, name), "D")
        for name in ("test_from", "train_from", "test_until")
    }
    return split_days(
        panel.days,
        test_share=settings.test_share,
        validation_share=settings.validation_share,
        validation_block=settings.validation_block,
        **days,
    )
