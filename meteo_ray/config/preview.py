"""What jobs/preview_data.py can be told."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from meteo_ray.config.augment import AugmentConfig
from meteo_ray.config.base import JobConfig


class PreviewData(JobConfig):
    """Contact sheets of what the models get to see."""

    data: Path | None = None
    """The data folder (or METEO_RAY_DATA), prepared by jobs/prepare_data.py."""
    index: Path | None = None
    """Where the index lies (or METEO_RAY_INDEX); default: DATA/index."""
    labels: Path | None = None
    """The vocabulary; default: docs/labels.yaml of this project."""
    out: Path | None = None
    """Where the sheets go: OUT/{is_meteo,element,product}/CLASS.png. Sheets of the same name are replaced."""
    split: Literal["train", "validation", "test"] | None = None
    """Show images of this split only; default: of all."""
    per_class: int = Field(12, gt=0)
    """Images on a sheet, at most; drawn at random from the class."""
    epoch: int = Field(0, ge=0)
    """The training epoch whose augmentation is shown."""
    seed: int = 0
    """Seeds the choice of images and their augmentation."""
    augmentation: AugmentConfig = AugmentConfig()
    """How images are altered."""
