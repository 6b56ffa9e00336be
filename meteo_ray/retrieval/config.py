"""Settings of the retrieval stage."""

from typing import Literal, Self

from pydantic import Field, model_validator

from meteo_ray.config.fields import Init, InputSize, Rate, Size
from meteo_ray.config.parsing import Section
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.training.config import LoopSettings, TrainingJob

Relevance = Literal["products", "elements"]


class RetrievalTraining(Section):
    """What the retrieval stage is made of and how it learns; the loop's own settings stand under `training`."""

    backbone: Literal["resnet18", "resnet50"] = "resnet50"
    """The trunk."""
    init: Init = "auto"
    """First weights of the trunk: auto (ImageNet's where this machine has them, else none), imagenet, none, or the path
    of a weight file or folder, such as MODELS/elements."""
    input_size: InputSize = (320, 240)
    """Width and height that the network reads."""
    bits: int = Field(48, ge=6, le=64)
    """Length of the code. More tell more apart and take more room, not more time to search."""
    local_branches: int = Field(3, ge=0, le=5)
    """Branches that look for a place of their own; each gets a sixth of the bits, the global branch the rest."""
    attention_size: Size = 256
    """Channels of the attention in every branch."""
    decay: float = Field(0.9, gt=0, le=1)
    """How strongly attention fades from one place of the feature map to the next; 1: not at all."""
    convolution: bool = True
    """Add a depthwise convolution of the values to the attention."""

    relevance: Relevance = "products"
    """Which charts are alike: those of the same product, or those that share at least one element."""
    loss: Literal["pairwise", "pointwise"] = "pairwise"
    """pairwise: outputs are drawn to codes of all training charts, which are solved for between the epochs; pointwise:
    to one fixed code for each product or element (OrthoHash)."""
    pair_weight: float = Field(0.6, gt=0)
    """alpha: how much agreement with the codes of all training charts counts (pairwise)."""
    code_weight: float = Field(30.0, ge=0)
    """beta: how much the distance to the chart's own code counts (pairwise)."""
    dissimilar: Literal["opposite", "balanced"] = "balanced"
    """What codes of charts that are not alike are drawn to (pairwise). opposite: to each other's opposite, though few
    can be opposite to each other; balanced: so far apart that like and unlike pairs weigh the same."""
    margin: float = Field(0.2, ge=0, lt=1)
    """By how much more than needed a chart's cosine to its class's code is to lead (pointwise)."""
    scale: float = Field(8.0, gt=0)
    """What cosines are multiplied with before the softmax (pointwise)."""

    frozen_epochs: int = Field(0, ge=0)
    """Epochs before the others in which the trunk is frozen; left out where it starts from random weights. On a CPU
    --retrieval.frozen-epochs 30 --retrieval.epochs 0 learns in minutes from what --retrieval.init knows."""
    epochs: int = Field(30, ge=0)
    """Epochs in which everything learns. After each of either kind the codes of all training charts are solved for anew
    (pairwise)."""
    samples: int = Field(2000, gt=0)
    """Charts that an epoch draws; all of them, where there are fewer."""
    trunk_rate: Rate = 1e-4
    """Peak learning rate of the trunk; where it starts from random weights it learns at that of the rest."""
    head_rate: Rate = 5e-4
    """Peak learning rate of branches and coders."""
    warmup_epochs: float = Field(1.0, ge=0)
    """The learning rate rises linearly over the first epochs."""
    minimum_rate: Rate = 1e-6
    """Where the cosine ends."""
    augmentation: AugmentConfig = AugmentConfig()
    """What is done to the images."""

    @model_validator(mode="after")
    def _learns(self) -> Self:
        if not self.epochs + self.frozen_epochs:
            raise ValueError("epochs and frozen_epochs are both 0: nothing would be learnt")
        return self


class TrainRetrievalJob(TrainingJob):
    """Train the retrieval stage: which charts are alike?"""

    training: LoopSettings = LoopSettings(batch_size=16, patience=0)
    """The training loop."""
    retrieval: RetrievalTraining = RetrievalTraining()
    """The retrieval stage."""
