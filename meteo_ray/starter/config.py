"""Config of jobs/build_starter.py."""

from pathlib import Path

from pydantic import Field

from meteo_ray.config import JobConfig
from meteo_ray.judging.starter import STARTER


class BuildStarterJob(JobConfig):
    """Build the models that come with the package, from nothing but drawings."""

    work: Path
    """The folder for drawings, whole models and measures; the same command goes on in it where it stopped."""
    target: Path = STARTER
    """Where the small bundles go: by default into the package."""
    charts: int = Field(10_000, gt=0)
    """Weather charts to draw, of wide variety."""
    others: int = Field(10_000, gt=0)
    """Look-alikes and other pictures that are no charts."""
    seed: int = Field(0, ge=0)
    """Seeds drawings and trainings."""
    gate_config: Path | None = None
    """Settings of the gate's training; default: jobs/gate_from_scratch/pretrain.yaml."""
    elements_config: Path | None = None
    """Settings of the elements' training; default: jobs/elements_from_scratch/pretrain.yaml."""
