"""Settings of radar nowcasts."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from meteo_ray.config.fields import Rate, Share, Size
from meteo_ray.config.parsing import JobConfig, Section
from meteo_ray.training.config import LoopSettings, TrainingJob

THRESHOLDS = (0.5, 2.0, 5.0)
"""mm/h from which the network tells how likely it is: light, moderate and heavy rain."""

COARSER = 2
"""The ConvLSTM works on a grid coarser by this factor: a quarter of the work, and twice the reach of a kernel."""


class NowcastTraining(Section):
    """What is nowcast, from what, and by which network."""

    test_events: tuple[str, ...] = ()
    """Events, by their folders, that are only scored; default: the last one."""
    validation_events: tuple[str, ...] = ()
    """Events that a training stops by; default: the last one that is no test."""
    past: int = Field(4, ge=3)
    """Frames that the network reads; the motion is found on the last three."""
    leads: Size = 12
    """Frames ahead, five minutes each."""
    grid_km: float = Field(2.0, gt=0)
    """Side of a square of the working grid in km."""
    stride: Size = 2
    """Frames from one window's start to the next one's."""
    crop: Size = 64
    """Side, in squares, of what a training step sees of a window."""
    crops: Size = 4
    """Crops of every window in an epoch."""
    hidden: Annotated[tuple[Size, ...], Field(min_length=1)] = (24, 24)
    """Channels of the ConvLSTM's layers."""
    kernel: Annotated[int, Field(gt=0, le=7)] = 3
    """Side of the convolutions, odd."""
    peepholes: bool = True
    """Gates look at the cell too."""
    residual: bool = True
    """The network corrects the extrapolation; else it answers the rain itself."""
    rain_share: Share = 1.0
    """How much of the loss is the squared error in mm/h, the rest being that in decibels. What is right on the mean in
    decibels rains less than the mean: the more of it, the weaker the forecasts."""
    chance_weight: float = Field(0.1, ge=0)
    """Weight of the loss of the likelihoods of rain."""
    cap: float = Field(50.0, gt=0)
    """mm/h beyond which errors are not counted in training."""
    rate: Rate = 1e-3
    """Peak learning rate."""
    epochs: Size = 8
    """At most; training stops by the validation events."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError("kernel must be odd")
        if self.crop % COARSER:
            raise ValueError(f"crop must be a multiple of {COARSER}")
        return self


class TrainNowcastJob(TrainingJob):
    """Train a nowcast of radar rain."""

    training: LoopSettings = LoopSettings(
        batch_size=4, precision="fp32", patience=5, average_decay=0.98, data_workers=1, torch_threads=2
    )
    """The training loop. Weights are averaged over about fifty steps, an epoch of four events: one by one they jump
    between too weak and too strong rain on events that are not learnt."""
    nowcast: NowcastTraining = NowcastTraining()
    """The nowcast."""


class RadarJob(JobConfig):
    """What jobs that use a trained nowcast share."""

    data: Path | None = None
    """The folder of the radar events (or METEO_RAY_DATA)."""
    models: Path | None = None
    """The model folder (or METEO_RAY_MODELS): MODELS/nowcast is used."""
    cache: Path | None = None
    """Folder for decoded frames and extrapolations; default: MODELS/cache."""


class NowcastJob(RadarJob):
    """Nowcast from the last frames of an event."""

    out: Path
    """Folder to write: nowcast.nc, nowcast.csv, nowcast.png, nowcast.gif."""
    event: str | None = None
    """Which event; default: the last one."""
    time: str | None = None
    """Time of the last frame that is known, as 2016-07-11T22:00; default: the event's last."""
    overwrite: bool = False
    """Replace what this job wrote into `out` before."""


class EvaluateNowcastJob(RadarJob):
    """Score a trained nowcast on its test events beside the baselines."""

    out: Path
    """The metrics, as JSON; a page with tables and plots lies beside it."""
    stride: int = Field(4, gt=0)
    """Frames from one scored window's start to the next one's."""
    rounds: int = Field(2000, gt=0)
    """Draws of the bootstrap."""
