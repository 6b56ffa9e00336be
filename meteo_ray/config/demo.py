"""Config of jobs/make_demo_data.py."""

from pathlib import Path

from pydantic import Field

from meteo_ray.config import JobConfig


class DemoJob(JobConfig):
    """Draw the demo data set."""

    out: Path
    """Folder to write: images/, labels.jsonl, logos/."""
    charts: int = Field(900, ge=0)
    """Weather charts to draw; every product comes equally often."""
    others: int = Field(700, ge=0)
    """Look-alikes and other pictures that are no charts."""
    seed: int = Field(0, ge=0)
    """The same seed draws the same images, whatever the number of workers."""
    overwrite: bool = False
    """Replace the data set that stands in the folder."""
    archive: Path | None = None
    """Also fill this folder with unlabelled images that are never trained on, and with broken files."""
    archive_count: int = Field(200, ge=1)
    """Images in the archive, half of them charts."""
