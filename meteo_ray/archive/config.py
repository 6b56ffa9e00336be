"""Config of `jobs/classify_archive.py`."""

from pathlib import Path
from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from meteo_ray.config.cascade_settings import CascadeSettings
from meteo_ray.config.parsing import JobConfig, Section

STAGES = ("gate", "elements", "products")


class Reading(Section):
    """How files become pixels."""

    workers: PositiveInt | None = None
    """Decoding processes; by default 70 % of the cluster's cores (R7 asks for 60-80 %), at least one."""
    timeout_s: PositiveFloat = 20.0
    """Seconds after which one image's decoding is given up."""
    memory_limit_mb: PositiveInt = 1536
    """Memory that one decoding process may take beyond what it starts with; the largest image needs about 1200."""


class Batches(Section):
    """How many rows travel, are judged and are committed together."""

    rows: PositiveInt = 64
    """Rows of a block, and of a call of the gate. 64 images of 320x240x3 bytes are 14.7 MB."""
    product_rows: PositiveInt = 256
    """Rows of which the charts are gathered into full mini-batches for the products stage; they carry no pixels."""
    product_images: PositiveInt = 8
    """Charts in one call of the products stage."""
    part_rows: PositiveInt = 4096
    """Rows of one predictions file: what a kill can cost at most, with `part_seconds`."""
    part_seconds: PositiveFloat = 60.0
    """Seconds after which the rows at hand are committed even if they are fewer."""


class ArchiveConfig(JobConfig):
    """Classify every file of an archive folder and write one row for each."""

    archive: str | Path
    """Folder with images, at any depth, or a URI that pyarrow can open (s3://bucket/folder, gs://, hdfs://)."""
    models: Path
    """Folder that holds the model bundles gate/, elements/ and products/. Also from METEO_RAY_MODELS."""
    out: Path
    """Folder for predictions/, summary.json and report.html; it must not lie inside the archive."""
    resume: bool = False
    """Go on with the run that stands in --out: rows that it committed are not judged again."""
    overwrite: bool = False
    """Remove the run that stands in --out and start anew."""
    stages: tuple[str, ...] = STAGES
    """Stages to run, in order: gate; gate,elements; or gate,elements,products."""
    max_bad: float = Field(default=1.0, ge=0.0, le=1.0)
    """Largest share of rejected and unreadable files that still counts as success; above it the exit status is 3."""
    min_recall: float | None = Field(default=None, gt=0.0, le=1.0)
    """Let the gate use the highest threshold that keeps this recall on validation, instead of the one of best F1."""
    cascade: CascadeSettings = CascadeSettings()
    """Thresholds other than the calibrated ones, such as a sweep's."""
    reading: Reading = Reading()
    batches: Batches = Batches()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.stages != STAGES[: len(self.stages)] or not self.stages:
            choices = "; ".join(",".join(STAGES[:count]) for count in (1, 2, 3))
            raise ValueError(f"stages must be one of: {choices}")
        if self.resume and self.overwrite:
            raise ValueError("--resume keeps what --overwrite removes: give one of them")
        return self
