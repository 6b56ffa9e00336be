"""Settings of stage 2, the elements (R20-R27)."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from meteo_ray.config.fields import Init, InputSize, Rate, Share, Size
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.training.config import AuxiliaryImages, TrainingJob
from meteo_ray.voters.config import VoterSettings

Exponent = Annotated[float, Field(ge=0)]
"""How strongly a loss turns away from what is easy; 0: not at all."""


class ElementsTraining(VoterSettings):
    """What the element stage is made of and how it learns; the loop's own settings stand under `training`."""

    network_voters = ("parallel", "sequence")

    backbone: Literal["resnet18", "resnet50"] = "resnet50"
    """The image encoder (R20); the small one for tests and quick trials."""
    init: Init = "auto"
    """First weights of the encoder: auto (ImageNet's where this machine has them, else starter where that fits, else
    none), imagenet, starter (all of the model that comes with the package, trained on gently unless told otherwise),
    none, or the path of a weight file or folder."""
    input_size: InputSize = (320, 240)
    """Width and height that the network reads (R6). Smaller, such as 160x120, trains four times faster on a CPU."""
    joint_size: Size = 256
    """Dimensions of the space in which image and labels meet (R20); the query head's width too."""
    embedding_size: Size = 384
    """Dimensions of a label's embedding (R20)."""
    hidden_size: Size = 384
    """Width of the LSTM; up to 512 where labels are many (R20)."""
    layers: Size = 2
    """Layers of the LSTM (R20)."""
    parallel_head: Literal["pooled", "query"] = "pooled"
    """What answers for all labels at once: one linear output each on the pooled features, or (query) one learnt query
    each that attends to the places of the feature map, as in ML-Decoder."""
    gradient_checkpointing: bool = False
    """Compute the encoder's activations again in the backward pass: half the memory for a fifth more time (R28)."""

    auxiliary: AuxiliaryImages = AuxiliaryImages()
    """Charts that are learnt from beside those of --data."""

    length_grouping: bool = True
    """Batches hold rows of similar sequence length (R28). Without, batch normalisation
    sees every kind of chart in every batch, which an encoder that starts from random weights seems to need."""

    parallel_weight: float = Field(default=1.0, ge=0)
    """alpha of the loss alpha * BCE + beta * sequence (R21)."""
    sequence_weight: float = Field(default=0.5, ge=0)
    """beta (R21)."""
    parallel_loss: Literal["focal", "asymmetric"] = "focal"
    """The parallel head's loss: focal (R21), or asymmetric, which turns away from easy labels more strongly where they
    are absent."""
    focal_gamma: float = Field(default=2.0, ge=0)
    """How strongly the focal loss turns away from easy labels (R21)."""
    asymmetric_gammas: tuple[Exponent, Exponent] = (0.0, 4.0)
    """The same of the asymmetric loss: where a label is present, and where it is absent."""
    asymmetric_margin: float = Field(default=0.05, ge=0, lt=1)
    """Absent labels that are held less likely than this cost nothing in the asymmetric loss."""
    class_weight_limit: float = Field(default=10.0, ge=1)
    """Inverse-frequency class weights stay between 1/limit and limit; 1 switches them off (R21)."""
    rare_share: Share = 0.0
    """Rows that show an element rarer than this share of the training rows are drawn more often: one of a quarter of it
    twice as often (repeat factor sampling); 0 switches it off. Epochs stay as long, so other rows are drawn less often;
    class weights stay those of the rows as they are."""

    frozen_epochs: int = Field(default=5, ge=0)
    """Phase 1: the encoder is frozen (R22). Left out when the encoder starts from random weights."""
    frozen_rate: Rate = 2e-3
    """Peak learning rate of everything but the encoder in phase 1."""
    frozen_warmup_epochs: float = Field(default=1.0, ge=0)
    """The learning rate rises linearly over the first epochs of phase 1."""
    full_epochs: int = Field(default=25, gt=0)
    """Phase 2: everything is trained (R22); early stopping usually ends it before."""
    encoder_rate: Rate = 1e-4
    """Peak learning rate of the encoder in phase 2."""
    decoder_rate: Rate = 5e-4
    """Peak learning rate of the rest in phase 2; of the encoder too when it starts from random weights."""
    warmup_epochs: float = Field(default=5.0, ge=0)
    """The learning rate rises linearly over the first epochs of phase 2 (R22): the encoder meets gradients for the
    first time there."""
    minimum_rate: Rate = 1e-6
    """Where the cosine ends."""

    shuffled_share: Share = 0.2
    """Training rows whose labels come in random order instead of the commonest first (R23)."""
    teacher_forcing_start: Share = 1.0
    """Probability of feeding the true label at the start of training (R23)."""
    teacher_forcing_end: Share = 0.7
    """And at its end; it falls linearly."""

    beam_width: Size = 3
    """Paths that beam search keeps; 3 to 5 (R24)."""
    max_labels: Size = 10
    """Longest label sequence (R24)."""
    borrowed_positives: float = Field(default=10.0, ge=0)
    """Calibration and thresholds of a label lean on all labels' validation rows, as much as on so many positive rows of
    its own (R25, R40): rare labels take nearly all from there, common ones nearly nothing."""

    augmentation: AugmentConfig = AugmentConfig()
    """What is done to the images (R5)."""

    @model_validator(mode="after")
    def _losses_and_forcing(self) -> Self:
        if self.parallel_weight == 0 and self.sequence_weight == 0:
            raise ValueError("parallel_weight and sequence_weight are both 0: nothing would be learnt")
        if self.teacher_forcing_end > self.teacher_forcing_start:
            raise ValueError("teacher_forcing_end is above teacher_forcing_start; it can only fall")
        return self


# How gently the model that comes with the package is trained on: jobs/elements_from_scratch/fine_tune.yaml tells why.
FROM_STARTER: Mapping[str, Any] = {
    "training": {"patience": 0, "average_decay": 0.99},
    "elements": {
        "length_grouping": False,
        "frozen_epochs": 2,
        "frozen_rate": 2e-4,
        "frozen_warmup_epochs": 0.5,
        "full_epochs": 1,
        "encoder_rate": 2e-5,
        "decoder_rate": 1e-4,
        "warmup_epochs": 0.5,
        "parallel_weight": 10.0,
        "focal_gamma": 0.0,
        "class_weight_limit": 3.0,
        "borrowed_positives": 1000.0,
        "further_trees": 0,
        "voter_weights": {"parallel": 0.25, "sequence": 0.25},
        "auxiliary": {"rows": 500, "weight": 0.15},
        "augmentation": {
            "crop_share": 0.4,
            "colour_share": 0.3,
            "logo_share": 0.1,
            "title_share": 0.0,
            "noise_share": 0.2,
            "artefacts_share": 0.3,
        },
    },
}

# What its weights were made for.
SHAPE = ("backbone", "input_size", "joint_size", "embedding_size", "hidden_size", "layers", "parallel_head")


class TrainElementsJob(TrainingJob):
    """Train the element stage: which meteorological elements does a chart show?"""

    elements: ElementsTraining = ElementsTraining()
    """The element stage."""

    def settled(self, again: Callable[[Mapping[str, Any]], Self]) -> Self:
        from meteo_ray.backbones.starter import started  # torch takes seconds to import

        return started(self, again, "elements", self.elements.backbone, FROM_STARTER, SHAPE)
