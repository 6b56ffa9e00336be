"""Config of `jobs/evaluate.py`."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from meteo_ray.config.cascade_settings import CascadeSettings
from meteo_ray.config.parsing import JobConfig, Section
from meteo_ray.imaging.augment_config import AugmentConfig

STAGES = ("gate", "elements", "products")


class Robustness(Section):
    """How far the gate's quality falls when images get worse (R14)."""

    images: int = Field(200, gt=0)
    """Images of the split that are degraded, half of them charts; each is judged once for every degradation."""
    scales: tuple[float, ...] = (1.0, 0.5, 0.25, 0.125)
    """Resolution as a share of the original's sides."""
    jpeg_qualities: tuple[int, ...] = (95, 75, 50, 30, 20, 10)
    """JPEG qualities that images are sent through."""
    crop_areas: tuple[float, ...] = (0.8, 0.65, 0.5)
    """Share of the area that a crop keeps (R5 names 0.5 to 0.8)."""
    logo: bool = True
    """Stamp one of DATA/logos on every image."""


class EvaluateJob(JobConfig):
    """Score trained models on a labelled split."""

    data: Path
    """The data folder (or METEO_RAY_DATA), prepared by jobs/prepare_data.py."""
    models: Path
    """The folder of model bundles gate/, elements/ and products/ (or METEO_RAY_MODELS)."""
    out: Path
    """The JSON file for the metrics."""
    split: Literal["train", "validation", "test"] = "test"
    """Which rows to score."""
    stage: Literal["gate", "elements", "products", "cascade", "all"] = "all"
    """What to score: one stage on its own, the three together end to end, or everything that MODELS holds."""
    report: Path | None = None
    """An HTML page with plots and the worst mistakes."""
    baseline: bool = False
    """Also train gradient boosting on colour, edge, texture and gradient histograms, and score it beside the gate."""
    zero_shot: bool = False
    """Also score the products stage's base model without what it learned (R36)."""
    robustness: bool = False
    """Also score the gate on degraded images."""
    degradations: Robustness = Robustness()
    """Which degradations `robustness` tries."""

    index: Path | None = None
    """Where the index lies, if not in DATA/index."""
    labels: Path | None = None
    """The vocabulary; default: DATA/labels.yaml, else the one that comes with the package."""
    cache: Path | None = None
    """Folder of decoded images, shared with training; default: DATA/cache."""
    augmentation: AugmentConfig = AugmentConfig()
    """What is done to the images, fixed for each, to imitate what circulates (R5); as in training."""
    cascade: CascadeSettings = CascadeSettings()
    """Thresholds other than the calibrated ones, such as a sweep's."""
    min_recall: float | None = Field(None, gt=0, le=1)
    """Let the gate use the threshold that keeps this recall on validation, instead of the one of best F1."""
    include_ambiguous: bool = False
    """Score rows too whose labels.jsonl line says "ambiguous": true."""
    bootstrap_rounds: int = Field(200, ge=0)
    """Draws behind each 95 % interval; 0 leaves intervals out."""
    batch_size: int = Field(64, gt=0)
    """Images in one call of a predictor."""
    data_workers: int | None = Field(None, gt=0)
    """CPU workers that decode; default: 70 % of the cores."""
    seed: int = 0
    """Seeds the augmentation (use the training's), the bootstrap and the baseline."""
