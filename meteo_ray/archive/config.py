"""Config of `jobs/classify_archive.py`."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from meteo_ray.archive.reading.limits import Limits
from meteo_ray.config.parsing import Section
from meteo_ray.judging.settings import JudgingJob
from meteo_ray.stages import CASCADE, JudgingStageName
from meteo_ray.text.config import TextSettings

# The stage in whose place examples answer, and what they need: charts.
EXAMPLES_ANSWER, EXAMPLES_NEED = "products", ("gate",)

Also = Literal["csv", "jsonl", "links", "copies"]


class Reading(Section):
    """How files become pixels."""

    workers: PositiveInt | None = None
    """Decoding processes; by default 70 % of the cluster's cores (R7 asks for 60-80 %), at least one. On two cores
    without a GPU the gate alone is a quarter faster with two, gate and elements are a tenth slower."""
    timeout_s: PositiveFloat = 20.0
    """Seconds after which one image's decoding is given up."""
    memory_limit_mb: PositiveInt = 1536
    """Memory that one decoding process may take beyond what it starts with; the largest image needs about 1200."""

    def limits(self) -> Limits:
        """What readers are told."""
        return Limits(self.timeout_s, self.memory_limit_mb)


class Batches(Section):
    """How many rows travel, are judged and are committed together."""

    rows: PositiveInt = 64
    """Rows of a block, and of a call of the gate. 64 images of 320x240x3 bytes are 14.7 MB."""
    product_rows: PositiveInt = 256
    """Rows of which the charts are gathered into full mini-batches for the products stage; they carry no pixels."""
    product_images: PositiveInt = 8
    """Charts in one call of the products stage."""
    part_rows: PositiveInt = 4096
    """Rows at hand from which they are committed as one predictions file; rows that are still on their way through the
    models, some hundred, come on top."""
    part_seconds: PositiveFloat = 60.0
    """Seconds after which the rows at hand are committed even if they are fewer."""


class ArchiveConfig(JudgingJob):
    """Classify every file of an archive folder and write one row for each."""

    archive: str | Path
    """Folder with images, at any depth, also inside tar and zip files; a tar or zip file; a list of paths (.txt, or
    the column `path` of a .csv or .parquet); or a URI that pyarrow can open (s3://bucket/folder, gs://, hdfs://)."""
    out: Path
    """Folder for predictions/, summary.json and report.html; it must not lie inside the archive."""
    resume: bool = False
    """Go on with the run that stands in --out: rows that it committed are not judged again, files that are new in the
    archive are."""
    retry_errors: bool = False
    """With --resume: judge the files with status `error` again, too."""
    overwrite: bool = False
    """Remove the run that stands in --out and start anew."""
    stages: tuple[JudgingStageName, ...] = tuple(CASCADE)
    """Stages to run, in order, separated by commas; none without those whose answers it needs: gate; gate,elements; or
    all."""
    max_bad: float = Field(default=0.5, ge=0.0, le=1.0)
    """Largest share of rejected and unreadable files that still counts as success; above it the exit status is 3."""
    also: tuple[Also, ...] = ()
    """What to write beside the Parquet files, separated by commas: csv, jsonl (predictions.csv, .jsonl), and links or
    copies of the images in sorted/PRODUCT/."""
    examples: Path | None = None
    """A folder of example charts, with a sub-folder of one to five for each product, and, if wanted, `none` with charts
    of none: they answer in the place of the products stage, by MODELS/retrieval."""
    examples_none: float = Field(0.5, gt=0, lt=1)
    """Share of the charts that are probably of none of the examples' products: the fewer, the sooner one is named."""
    reading: Reading = Reading()
    batches: Batches = Batches()
    text: TextSettings = TextSettings()
    """What is read of charts and of images on which the gate is undecided."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.stages or self.stages != tuple(name for name in CASCADE if name in self.stages):
            raise ValueError(f"stages must be some of {','.join(CASCADE)}, in this order, got {','.join(self.stages)}")
        for name in self.stages:
            needs = EXAMPLES_NEED if name == EXAMPLES_ANSWER and self.examples else CASCADE[name].needs
            missing = [needed for needed in needs if needed not in self.stages]
            if missing:
                raise ValueError(f"stages: {name} needs {' and '.join(missing)} before it")
        if self.examples and EXAMPLES_ANSWER not in self.stages:
            raise ValueError(f"examples answer in the place of {EXAMPLES_ANSWER}, which --stages leaves out")
        if self.resume and self.overwrite:
            raise ValueError("--resume keeps what --overwrite removes: give one of them")
        if self.retry_errors and not self.resume:
            raise ValueError("--retry-errors goes on with a run: give --resume as well")
        if {"links", "copies"} <= set(self.also):
            raise ValueError("also: links and copies stand in the same folders: give one of them")
        return self
