"""What trained models can be told when they judge; evaluation, archive and sweeps share it."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt

from meteo_ray.config.parsing import JobConfig, NameOrPath, Section
from meteo_ray.imaging.augment_config import UNALTERED, AugmentConfig
from meteo_ray.judging.starter import STARTER
from meteo_ray.streaming.config import MOST_CACHE_GB


class CascadeSettings(Section):
    """How trained models decide and compute. What is left out stays as training calibrated it."""

    gate_threshold: float | None = Field(None, ge=0, le=1)
    """Calibrated probability from which an image counts as a chart, instead of the one of best F1."""
    element_threshold_scale: float = Field(1.0, gt=0)
    """Multiplies every element's threshold: below 1 more elements are named, above 1 fewer."""
    beam_width: PositiveInt | None = None
    """Paths that the elements' beam search keeps (R24)."""
    elements_8bit: bool = False
    """Let the elements' image encoder compute in 8-bit integers (R27), on a CPU only: faster, and scores shift a
    little. The ranges that this takes come with the model."""
    products_candidates: int | None = Field(None, gt=1)
    """Products that the language model is asked about (R32), instead of as many as in training."""
    products_below: float | None = Field(None, gt=0, le=1)
    """Ask the language model only about charts of which elements, text and descriptors together are less sure than
    this. A training ends with the value from which they did as well (`below`). Default: ask about all."""
    products_blend: float = Field(1.0, ge=0)
    """Multiplies how much the language model counts beside elements, text and descriptors; 0: they answer alone, and it
    is not even loaded."""
    products_least: float = Field(0.0, ge=0, le=1)
    """Answer "none of these" where no product is as likely as this."""
    products_decoding: Literal["exact", "beam"] = "exact"
    """exact: every candidate product is scored, in one pass; beam: the candidates' names are searched with as many
    beams as the model was trained for (R35), and only what these find is listed and shares the confidence."""
    products_quantize: Literal["nf4", "none"] | None = None
    """How to load the base model of a products adapter, instead of as in training: nf4, in 4 bits; none, whole."""


class JudgingJob(JobConfig):
    """What every job that judges with trained models can be told about them."""

    models: Path = STARTER
    """The folder of model bundles, one for each stage (or METEO_RAY_MODELS); default: those that come with the package,
    which have seen drawings alone."""
    cascade: CascadeSettings = CascadeSettings()
    """Thresholds other than the calibrated ones, such as a sweep's; 8 bits."""
    min_recall: float | None = Field(None, gt=0, le=1)
    """Let the gate use the highest threshold that keeps this recall on validation, instead of the one of best F1."""
    products_base: Annotated[str, NameOrPath()] | None = None
    """Where the base model of the products' adapter lies now (a folder, or a name in the local hub cache), if not where
    it was trained from. Another one is refused."""


class EvaluationSettings(JudgingJob):
    """What every stage's scoring on a labelled split can be told; stages add flags of their own by subclassing."""

    data: Path
    """The data folder (or METEO_RAY_DATA), prepared by jobs/prepare_data.py."""
    split: Literal["train", "validation", "test"] = "test"
    """Which rows to score."""
    index: Path | None = None
    """Where the index lies, if not in DATA/index."""
    labels: Path | None = None
    """The vocabulary (or METEO_RAY_LABELS); default: DATA/labels.yaml, else the one that comes with the package."""
    cache: Path | None = None
    """Folder of decoded images, shared with training; default: DATA/cache."""
    cache_gb: float = Field(MOST_CACHE_GB, ge=0)
    """How many GB of decoded images it may hold."""
    text: bool = True
    """Let what was read on the images (jobs/read_text.py) be heard; without, the pixels alone answer."""
    augmentation: AugmentConfig = AugmentConfig()
    """What is done to the images, fixed for each, to imitate what circulates (R5), as in training; the images as they
    are, which an archive holds, are measured beside them. --no-augmentation.enabled measures those alone."""
    bootstrap_rounds: int = Field(200, ge=0)
    """Draws behind each 95 % interval; 0 leaves intervals out."""
    batch_size: int = Field(64, gt=0)
    """Images in one call of a predictor."""
    data_workers: int | None = Field(None, gt=0)
    """CPU workers that decode; default: 70 % of the cores."""
    seed: int = 0
    """Seeds the augmentation (use the training's), the bootstrap and the baseline."""

    def unaltered(self) -> Self:
        """The same for images as they are, without intervals; subclasses switch off what else takes long."""
        return self.model_copy(update={"augmentation": UNALTERED, "bootstrap_rounds": 0})
