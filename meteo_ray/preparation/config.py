"""What jobs/prepare_data.py, jobs/read_text.py and jobs/preview_data.py can be told."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from meteo_ray.config.parsing import JobConfig, Section
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.text.config import ReadingSettings


class Fractions(Section):
    """How much of the images each split gets; splits keep duplicates, sources or days whole, so it is approximate."""

    train: float = Field(default=0.7, gt=0, lt=1)
    """Share that models learn from."""
    validation: float = Field(default=0.15, gt=0, lt=1)
    """Share that thresholds, calibration and early stopping are fitted on."""
    test: float = Field(default=0.15, gt=0, lt=1)
    """Share that only jobs/evaluate.py looks at."""

    @model_validator(mode="after")
    def _add_up(self) -> "Fractions":
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train, validation and test must add up to 1, not {total:g}")
        return self


class PrepareData(JobConfig):
    """From labels.jsonl and images to the index that training reads."""

    data: Path | None = None
    """The data folder (or METEO_RAY_DATA): labels.jsonl and the images that it names."""
    index: Path | None = None
    """Where the index goes (or METEO_RAY_INDEX); default: DATA/index. For data folders that cannot be written to."""
    labels: Path | None = None
    """The vocabulary (or METEO_RAY_LABELS); default: DATA/labels.yaml, else the one that comes with the package."""
    split_by: Literal["random", "time", "source", "given"] = "random"
    """random: every label spread evenly. time: the latest days become the test split. source: no source in two
    splits. given: each row's own `split` key. Duplicates stay together in all but `given`, where that is checked."""
    fractions: Fractions = Fractions()
    """Shares of the three splits."""
    duplicate_distance: int = Field(32, ge=0, le=64)
    """Images whose 256-bit perceptual hashes differ in at most so many bits are near-duplicates. Lower it when the
    report shows different charts as duplicates; 0 leaves copies that look exactly the same."""
    strict: bool = False
    """Fail when an image is missing or broken, instead of leaving it out and listing it."""
    allow_leakage: bool = False
    """Accept given splits that share duplicates; every score on them is flattered."""
    seed: int = 0
    """Seeds the split."""
    workers: int | None = Field(None, gt=0)
    """CPU workers that read the images; default: 70 % of the cores."""
    image_timeout_s: float = Field(20.0, gt=0)
    """An image that takes longer to decode is left out."""


class ReadText(JobConfig):
    """What is written on the images of a prepared data folder."""

    data: Path | None = None
    """The data folder (or METEO_RAY_DATA), prepared by jobs/prepare_data.py."""
    index: Path | None = None
    """Where the index lies, if not in DATA/index."""
    cache: Path | None = None
    """Folder where texts are kept by content; default: DATA/cache. Folders that hold the same images may share it."""
    text: ReadingSettings = ReadingSettings()
    """How it is read."""
    workers: int | None = Field(None, gt=0)
    """CPU workers that read; default: 70 % of the cores."""


class PreviewData(JobConfig):
    """Contact sheets of what the models get to see."""

    data: Path | None = None
    """The data folder (or METEO_RAY_DATA), prepared by jobs/prepare_data.py."""
    index: Path | None = None
    """Where the index lies (or METEO_RAY_INDEX); default: DATA/index."""
    labels: Path | None = None
    """The vocabulary (or METEO_RAY_LABELS); default: DATA/labels.yaml, else the one that comes with the package."""
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
