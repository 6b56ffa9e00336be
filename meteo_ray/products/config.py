"""Settings of the product stage: the base model, how it is adapted, what it is asked; and the small stand-in base."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from meteo_ray.config.fields import NotInIdentity
from meteo_ray.config.parsing import JobConfig, NameOrPath, Section
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.judging.settings import EvaluationSettings
from meteo_ray.training.config import LoopSettings, TrainingJob

NO_BASE = "none"

# Of how many products the right one should be among the candidates; a prompt's length is theirs.
CANDIDATES = 10


class ProductsTraining(Section):
    """What distinguishes training the product stage from the other stages (R30-R35)."""

    base_model: Annotated[str, NameOrPath((NO_BASE,)), NotInIdentity()] = "google/gemma-3-4b-pt"
    """A folder with a Gemma 3 checkpoint (vision included), or a model name that the local hub cache holds. Moving it
    does not start a run anew; other weights do. none: no language model; elements, text and descriptors answer alone,
    trained in seconds once the element stage has answered."""
    adaptation: Literal["lora", "full"] = "lora"
    """lora: train a low-rank adapter on the language model, vision frozen; full: train everything (small bases)."""
    quantize: Literal["nf4", "none"] = "nf4"
    """nf4: the frozen base in 4 bits, doubly quantised, computing in bfloat16."""
    lora_rank: int = Field(8, gt=0)
    """r of the adapter."""
    lora_alpha: int = Field(16, gt=0)
    """The adapter's output is scaled by alpha / r; twice the rank is the usual choice."""
    lora_dropout: float = Field(0.05, ge=0, lt=1)
    """Dropout on the adapter's input."""
    gradient_checkpointing: bool = True
    """Compute activations again in the backward pass instead of keeping them: slower, much less memory."""
    epochs: int = Field(10, gt=0)
    """At most; early stopping usually ends it before."""
    learning_rate: float = Field(2e-4, gt=0)
    """Peak of the cosine."""
    minimum_learning_rate: float = Field(1e-5, ge=0)
    """End of the cosine."""
    warmup_epochs: float = Field(0.0, ge=0)
    """Linear rise to the peak; worth half an epoch or more when training from scratch."""
    loss: Literal["answer", "candidates", "both"] = "answer"
    """answer: the right name's negative log-likelihood (R34); candidates: cross-entropy over the likelihoods of all
    listed names, which is what ranks them; both: their sum."""
    candidates: int = Field(CANDIDATES, gt=1)
    """Products that the language model is asked about, in training and in use: the likeliest by elements, text and
    descriptors (R32). Bounds the length of the prompt."""
    hard_negatives: int = Field(2, ge=0)
    """Of these, places in training that are kept for products of overlapping elements (R33)."""
    title_in_prompt: bool = True
    """Tell the language model the title that was read on the chart."""
    untitled_share: float = Field(0.2, ge=0, le=1)
    """Training rows that are asked about without their title, so that the picture is looked at too."""
    balance: float = Field(0.5, ge=0, le=1)
    """How much more often charts of rare products are drawn: 0 as they come, 1 every product alike often."""
    none_share: float = Field(0.1, gt=0, lt=1)
    """The share of charts to expect that are no product of the vocabulary: how readily "none of these" is said."""
    beam_width: int = Field(3, gt=0)
    """Beams of the constrained decoding (R35)."""
    augmentation: AugmentConfig = AugmentConfig()
    """What is done to the images (R5)."""
    stored_draws: int = Field(0, ge=0)
    """Run the frozen vision tower once for each image as it is and for this many altered draws of it, and keep what it
    answers in CACHE/features for all epochs and trials (1.3 MB each with Gemma 3 4B); epochs then take turns among
    these instead of altering the images anew. 0: keep nothing."""
    stored_gb: Annotated[float, Field(gt=0), NotInIdentity()] = 30.0
    """What is kept there may take this much, that of earlier trainings included: 30 GB hold 5700 charts with three
    draws."""

    @model_validator(mode="after")
    def _full_training_needs_whole_weights(self) -> Self:
        if self.hard_negatives >= self.candidates:
            raise ValueError("hard_negatives must leave a place among the candidates for the right product")
        if self.adaptation == "full" and self.quantize != "none":
            raise ValueError("adaptation 'full' cannot train 4-bit weights: set quantize to 'none'")
        if self.adaptation == "full" and self.stored_draws:
            raise ValueError("adaptation 'full' trains the vision tower, whose answers change: set stored_draws to 0")
        return self


class TrainProductsJob(TrainingJob):
    """Train the product stage: which product is a weather chart?"""

    training: LoopSettings = LoopSettings(batch_size=32, micro_batch=2)
    """The training loop; 2 rows at once x 16 steps of accumulation (R34)."""
    products: ProductsTraining = ProductsTraining()
    """The product stage."""


class ProductsEvaluationSettings(EvaluationSettings):
    """What the product stage's scoring can be told besides."""

    zero_shot: bool = False
    """Also score the products stage's base model without what it learned (R36)."""
    base_model: Path | None = None
    """Score the bare base model of this folder in the place of MODELS/products, before anything was trained (R36)."""
    probes: bool = True
    """Also ask with true elements, with black pictures and without text, to see what the stage owes to what: four times
    as many questions."""
    own_titles: bool = True
    """Judge the altered charts on which another product's title was drawn once more under their own, to tell reading
    from recognising; takes as long again for the share of images that get a title."""

    def unaltered(self) -> Self:
        return super().unaltered().model_copy(update={"zero_shot": False, "own_titles": False, "probes": False})


class SmallBase(Section):
    """Sizes of the small random Gemma 3: trained in full within minutes on two CPU cores."""

    hidden_size: int = Field(128, gt=0)
    """Width of the language model."""
    layers: int = Field(3, gt=0)
    """Decoder layers; the last one attends to everything, the others within a window, as Gemma 3 does."""
    heads: int = Field(4, gt=0)
    """Attention heads; half as many key-value heads."""
    image_size: int = Field(128, gt=0)
    """Side of the square input of the vision tower, in pixels."""
    patch_size: int = Field(16, gt=0)
    """Side of a patch; image_size must be a multiple of it."""
    vision_hidden_size: int = Field(128, gt=0)
    """Width of the vision tower."""
    vision_layers: int = Field(2, gt=0)
    """Layers of the vision tower."""
    image_tokens_per_side: int = Field(4, gt=0)
    """The tower's patches are averaged to this many tokens a side before the language model sees them."""
    vocabulary_size: int = Field(2048, gt=300)
    """Tokens of the byte-level BPE; large enough for every element and product name to become one token."""
    seed: int = 0
    """Seeds the weights."""

    @model_validator(mode="after")
    def _grids_divide(self) -> Self:
        if self.image_size % self.patch_size or (self.image_size // self.patch_size) % self.image_tokens_per_side:
            raise ValueError("image_size must be patch_size x image_tokens_per_side x a whole number")
        if self.hidden_size % self.heads or self.heads % 2 or self.vision_hidden_size % self.heads:
            raise ValueError("heads must be even and divide hidden_size and vision_hidden_size")
        return self


class SmallBaseJob(JobConfig):
    """Writes a small, randomly initialised Gemma 3."""

    out: Path | None = None
    """The folder to write."""
    labels: Path | None = None
    """The vocabulary that the tokenizer learns its words from; default: the one that comes with the package."""
    base: SmallBase = SmallBase()
    """Sizes."""


class MergeProductsJob(JobConfig):
    """Merges the adapter of a products bundle into its base model."""

    models: Path | None = None
    """The folder of model bundles (or METEO_RAY_MODELS); that of the product stage is read."""
    out: Path | None = None
    """The folder to write."""
    base_model: Annotated[str, NameOrPath()] | None = None
    """Where the base model lies now, if not where the adapter was trained."""
