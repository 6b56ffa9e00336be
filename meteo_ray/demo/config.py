"""Configs of jobs/make_demo_data.py and jobs/run_demo.py."""

from pathlib import Path

from pydantic import Field

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


class RunDemoJob(JobConfig):
    """Draw, prepare, train, evaluate, classify: everything once, on drawn data."""

    out: Path = Path("demo_run")
    """The folder for everything: data/, models/, archive/, out/, metrics.json."""
    charts: int = Field(1400, gt=0)
    """Weather charts to draw for training and test."""
    others: int = Field(1400, gt=0)
    """Images that are no weather charts."""
    archive_count: int = Field(120, gt=0)
    """Images of the archive that is classified at the end; broken files come on top."""
    seed: int = 0
    """Seeds the drawings."""
