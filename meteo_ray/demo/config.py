"""Configs of jobs/make_demo_data.py and jobs/run_demo.py."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from meteo_ray.config import JobConfig
from meteo_ray.drawing.story import LOOSE, OFFICES


class DemoJob(JobConfig):
    """Draw the demo data set."""

    out: Path
    """Folder to write: images/, labels.jsonl, logos/."""
    charts: int = Field(900, ge=0)
    """Weather charts to draw; every product comes equally often."""
    others: int = Field(700, ge=0)
    """Look-alikes and other pictures that are no charts."""
    offices: int = Field(OFFICES, ge=1, le=OFFICES)
    """How many invented offices draw; each has habits of its own (fonts, colours, layout)."""
    habit: float = Field(LOOSE, ge=LOOSE, le=1)
    """How firmly offices keep to their habits: 0.5 hardly two images look alike, 1 every office has one look."""
    seed: int = Field(0, ge=0)
    """The same seed draws the same images, whatever the number of workers."""
    overwrite: bool = False
    """Replace the data set that stands in the folder."""
    archive: Path | None = None
    """Also fill this folder with unlabelled images that are never trained on, and with broken files."""
    archive_count: int = Field(200, ge=1)
    """Images in the archive, half of them charts."""
    archive_truth: Path | None = None
    """Also write what the archive's images show into this file, a line each as in labels.jsonl. It lies outside of the
    archive: whatever lies there is one of its files."""

    @model_validator(mode="after")
    def _truth_beside_its_archive(self) -> Self:
        if self.archive_truth is not None:
            if self.archive is None:
                raise ValueError("archive_truth says what --archive shows: give both")
            if self.archive_truth.resolve().is_relative_to(self.archive.resolve()):
                raise ValueError("archive_truth must not lie inside the archive, or it would be one of its files")
        return self


class RunDemoJob(JobConfig):
    """Draw, classify, prepare, train, evaluate: everything once, on drawn data."""

    out: Path = Path("demo_run")
    """The folder for everything: data/, models/, archive/, out/, metrics.json."""
    full: bool = False
    """Train all stages from nothing on more drawings, until they are good at them: 20 to 35 minutes on two cores."""
    charts: int | None = Field(None, gt=0)
    """Weather charts to draw for training and test; default: 220, with --full 1400."""
    others: int | None = Field(None, gt=0)
    """Images that are no weather charts; default: 140, with --full 1400."""
    archive_count: int | None = Field(None, gt=0)
    """Images of the archive that is classified; broken files come on top. Default: 40, with --full 120."""
    seed: int | None = Field(None, ge=0)
    """Seeds the drawings; default: 1, with --full 0. The package's models have learnt from drawings of seed 0."""


class ForecastDataJob(JobConfig):
    """Make up station series and radar events."""

    out: Path
    """Folder to write: stations/ with stations.csv and source.yaml, radar/ with a folder for every event."""
    days: int = Field(1500, ge=500)
    """Days of the stations' series."""
    events: int = Field(4, ge=3)
    """Radar events; the last is the test, the one before validates."""
    frames: int = Field(28, ge=10)
    """Images of an event, five minutes apart."""
    side: int = Field(128, ge=64)
    """Pixels of a radar image's side, 1 km each."""
    seed: int = Field(0, ge=0)
    """The same seed makes the same data."""
    overwrite: bool = False
    """Replace the data that stand in the folder."""


class RunForecastDemoJob(JobConfig):
    """Make up data, train, evaluate and run a forecast of stations and a nowcast of rain."""

    out: Path = Path("demo_forecast")
    """The folder for everything: data/, models/, forecast/, nowcast/, the metrics and their pages."""
    days: int = Field(1500, ge=500)
    """Days of the stations' series."""
    epochs: int = Field(12, gt=0)
    """Epochs of every forecast's training."""
    nowcast_epochs: int = Field(3, gt=0)
    """Epochs of the nowcast's training."""
    seed: int = 0
    """Seeds data and trainings."""
