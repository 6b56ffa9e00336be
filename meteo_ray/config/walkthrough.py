"""Settings of the walk through the whole system on drawn data (`make demo`)."""

from pathlib import Path

from pydantic import Field

from meteo_ray.config.base import JobConfig


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
