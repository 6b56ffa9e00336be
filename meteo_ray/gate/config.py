"""Settings of stage 1, the gate (R10-R14)."""

from collections.abc import Callable, Mapping
from typing import Any, Self

from pydantic import Field

from meteo_ray.config.fields import Init, InputSize, Rate, Share
from meteo_ray.config.parsing import Section
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.judging.settings import EvaluationSettings
from meteo_ray.training.config import AuxiliaryImages, LoopSettings, TrainingJob
from meteo_ray.voters.config import VoterSettings


class GateTraining(VoterSettings):
    """What the gate learns from and how; the loop's own settings stand under `training`."""

    network_voters = ("network",)

    init: Init = "auto"
    """First weights of the ResNet-18: auto (ImageNet's where this machine has them, else starter where that fits, else
    none), imagenet, starter (all of the model that comes with the package, trained on gently unless told otherwise),
    none, or the path of a weight file or folder."""
    input_size: InputSize = (320, 240)
    """Width and height that the network reads (R6). Smaller, such as 160x120, trains four times faster on a CPU."""

    auxiliary: AuxiliaryImages = AuxiliaryImages()
    """Images that are learnt from beside those of --data."""

    kind_weight: float = Field(0.0, ge=0)
    """Weight of a second head, used in training alone, that names the product or the `kind` of other image: more for
    an encoder that starts from random weights to learn from than a yes or no."""

    bce_share: Share = 0.7
    """alpha of the loss alpha * BCE + (1 - alpha) * focal (R10)."""
    focal_gamma: float = Field(2.0, ge=0)
    """How strongly the focal part turns away from easy rows (R10)."""

    frozen_epochs: int = Field(5, ge=0)
    """Phase 1: the backbone is frozen (R11). Left out when the backbone starts from random weights."""
    frozen_head_rate: Rate = 1e-3
    """Peak learning rate of the head in phase 1."""
    full_epochs: int = Field(15, gt=0)
    """Phase 2: everything is trained (R11)."""
    backbone_rate: Rate = 1e-4
    """Peak learning rate of the backbone in phase 2."""
    head_rate: Rate = 1e-3
    """Peak learning rate of the head in phase 2; of the backbone too when it starts from random weights."""
    minimum_rate: Rate = 1e-6
    """Where the cosine of both phases ends."""

    hard_from_epoch: int = Field(2, ge=1)
    """Epoch, counted from 0, from which hard examples are drawn more often (R12)."""
    hard_share: Share = 0.2
    """The rows of highest loss in each class that count as hard."""
    hard_weight: float = Field(2.0, ge=1)
    """How many times as often as the others of its class a hard row is drawn; 1 switches this off."""

    threshold: float | None = Field(None, gt=0, lt=1)
    """Calibrated score from which an image counts as a chart; default: that of best F1 on validation (R13). To be given
    where validation is far from what is to be judged, as with drawings."""
    skip_ambiguous: bool = True
    """Leave rows whose labels.jsonl line says "ambiguous": true out of validation and test scores."""
    augmentation: AugmentConfig = AugmentConfig()
    """What is done to the images (R5)."""


# How gently the model that comes with the package is trained on: jobs/gate_from_scratch/fine_tune.yaml tells why.
FROM_STARTER: Mapping[str, Any] = {
    "training": {"batch_size": 32, "patience": 0, "average_decay": 0.99},
    "gate": {
        "frozen_epochs": 2,
        "full_epochs": 2,
        "backbone_rate": 2e-5,
        "voter_weights": {"network": 1.0, "trees": 1.0, "words": 1.0, "names": 1.0},
        "auxiliary": {"rows": 2000, "weight": 0.15},
        "augmentation": {
            "crop_share": 0.4,
            "colour_share": 0.3,
            "logo_share": 0.1,
            "title_share": 0.1,
            "noise_share": 0.2,
            "artefacts_share": 0.3,
        },
    },
}


class TrainGateJob(TrainingJob):
    """Train the gate: is an image a weather chart?"""

    training: LoopSettings = LoopSettings(batch_size=64)
    """The training loop."""
    gate: GateTraining = GateTraining()
    """The gate."""

    def settled(self, again: Callable[[Mapping[str, Any]], Self]) -> Self:
        from meteo_ray.backbones.starter import started  # torch takes seconds to import
        from meteo_ray.gate.model import ARCHITECTURE

        return started(self, again, "gate", ARCHITECTURE, FROM_STARTER, shape=("input_size",))


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


class GateEvaluationSettings(EvaluationSettings):
    """What the gate's scoring can be told besides."""

    baseline: bool = False
    """Also train gradient boosting on colour, edge, texture and gradient histograms, and score it beside the gate."""
    robustness: bool = False
    """Also score the gate on degraded images."""
    degradations: Robustness = Robustness()
    """Which degradations `robustness` tries."""
    include_ambiguous: bool = False
    """Score rows too whose labels.jsonl line says "ambiguous": true."""

    def unaltered(self) -> Self:
        return super().unaltered().model_copy(update={"baseline": False, "robustness": False})
