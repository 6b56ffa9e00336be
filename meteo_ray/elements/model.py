"""The CNN-RNN network: an image encoder, a label decoder in a joint space, and a parallel head (R20, R21).

Wang et al. 2016, section 3.1, with the plan's names: o_t is the LSTM's output after the labels so far, v the image,

    x_t = ReLU(W_o o_t + W_I v)            both projected into the joint space
    P(l_t | I, l_<t) = softmax(U x_t)      U holds one row for every element and one for <eos>

Symbols are numbers: the elements 0 .. L-1 in vocabulary order, then <eos> = L and <bos> = L + 1. The encoder runs once
an image and the decoder once a step, so that beam search can hold many paths over one image.
"""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from meteo_ray.elements.config import ElementsTraining
from meteo_ray.elements.encoder import Features, ImageEncoder
from meteo_ray.elements.lstm import LSTM, LSTMState
from meteo_ray.elements.query_head import QueryHead

NEVER = float("-inf")


@dataclass(frozen=True)
class ElementsDimensions:
    """Everything that fixes the network's shape; bundles carry it."""

    labels: int
    backbone: str = "resnet50"
    input_size: tuple[int, int] = (320, 240)
    joint: int = 256
    embedding: int = 384
    hidden: int = 384
    layers: int = 2
    parallel_head: str = "pooled"

    @classmethod
    def of(cls, config: ElementsTraining, labels: int) -> "ElementsDimensions":
        return cls(
            labels=labels,
            backbone=config.backbone,
            input_size=config.input_size,
            joint=config.joint_size,
            embedding=config.embedding_size,
            hidden=config.hidden_size,
            layers=config.layers,
            parallel_head=config.parallel_head,
        )

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "input_size": list(self.input_size)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "ElementsDimensions":
        return cls(**{**document, "input_size": tuple(document["input_size"])})


class Encoded(NamedTuple):
    """Images after the encoder: `image` float32 `(batch, joint)` and `parallel` logits float32 `(batch, labels)`."""

    image: Tensor
    parallel: Tensor


class LabelDecoder(nn.Module):
    """P(l_t | I, l_<t): label embeddings, the LSTM, the joint space and the label matrix."""

    def __init__(self, dimensions: ElementsDimensions) -> None:
        super().__init__()
        self.labels = dimensions.labels
        self.end, self.begin = dimensions.labels, dimensions.labels + 1
        self.embedding = nn.Embedding(dimensions.labels + 2, dimensions.embedding)
        self.lstm = LSTM(dimensions.embedding, dimensions.hidden, dimensions.layers)
        self.from_output = nn.Linear(dimensions.hidden, dimensions.joint)
        self.from_image = nn.Linear(dimensions.joint, dimensions.joint, bias=False)
        self.label_matrix = nn.Linear(dimensions.joint, dimensions.labels + 1)

    def step(self, previous: Tensor, image: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """One step of every path.

        Args:
            previous: int64 `(paths,)`, the symbols emitted last; <bos> at first.
            image: `(paths, joint)`, the images that the paths belong to.
            state: of the paths; `lstm.initial_state` at first.

        Returns:
            Logits `(paths, labels + 1)` over the elements and <eos>, and the next state.
        """
        output, state = self.lstm.step(self.embedding(previous), state)
        joint = torch.relu(self.from_output(output) + self.from_image(image))
        return self.label_matrix(joint), state

    def forward(self, image: Tensor, sequences: Tensor, forced: Tensor | None = None) -> Tensor:
        """Logits of every step of known sequences, by teacher forcing or scheduled sampling (Bengio et al. 2015).

        Args:
            image: `(batch, joint)`.
            sequences: int64 `(batch, steps)`: labels, <eos>, then any negative number as padding.
            forced: bool `(batch, steps)`: whether step t reads the true label before it (True) or the one that the
                network held likeliest there (False); step 0 always reads <bos>. None forces everywhere. As in beam
                search no label is read twice: in the place of one that was read before comes the likeliest other.

        Returns:
            `(batch, steps, labels + 1)`.
        """
        previous = torch.full_like(sequences[:, 0], self.begin)
        state = self.lstm.initial_state(len(image))
        logits = []
        read = torch.zeros(len(image), self.labels + 2, dtype=torch.bool, device=image.device)
        for step in range(sequences.shape[1]):
            step_logits, state = self.step(previous, image, state)
            logits.append(step_logits)
            # After the end nothing is scored any more; padding only needs some valid embedding to read.
            previous = sequences[:, step].clamp(min=0)
            if forced is not None and step + 1 < sequences.shape[1]:
                likeliest = step_logits.detach()[:, : self.labels].masked_fill(read[:, : self.labels], NEVER).argmax(1)
                true_one = forced[:, step + 1] & ~read.gather(1, previous[:, None]).squeeze(1)
                previous = torch.where(true_one, previous, likeliest)
                read.scatter_(1, previous[:, None], True)
        return torch.stack(logits, dim=1)


class PooledHead(nn.Linear):
    """One linear output a label: `Features` -> logits `(batch, labels)`, in the weights' dtype."""

    def forward(self, features: Features) -> Tensor:  # type: ignore[override]
        return super().forward(features.pooled.to(self.weight.dtype))


def parallel_head(dimensions: ElementsDimensions, channels: int) -> PooledHead | QueryHead:
    """The head that `dimensions` name, over `channels` of the encoder; KeyError for a name that is not known."""
    if dimensions.parallel_head == "pooled":
        return PooledHead(channels, dimensions.labels)
    if dimensions.parallel_head == "query":
        return QueryHead(channels, dimensions.labels, dimensions.joint)
    raise KeyError(f"parallel head {dimensions.parallel_head!r}")


class ElementsModel(nn.Module):
    """uint8 pixels to parallel logits and, step by step, to label sequences."""

    def __init__(self, dimensions: ElementsDimensions, init: str = "none", checkpointing: bool = False) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.encoder = ImageEncoder(dimensions.backbone, init, dimensions.input_size, checkpointing)
        self.projection = nn.Linear(self.encoder.output_features, dimensions.joint)
        self.parallel_head = parallel_head(dimensions, self.encoder.output_features)
        self.decoder = LabelDecoder(dimensions)

    def encode(self, images: Tensor) -> Encoded:
        """uint8 `(batch, height, width, 3)` -> what both heads need of every image."""
        features = self.encoder(images)
        # bfloat16 keeps 8 bits, too few to rank scores near 0 and 1; the heads cost nothing in float32.
        with torch.autocast(images.device.type, enabled=False):
            pooled = features.pooled.to(self.projection.weight.dtype)
            return Encoded(self.projection(pooled), self.parallel_head(features))

    def forward(self, images: Tensor, sequences: Tensor, forced: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Parallel logits `(batch, labels)` and sequence logits `(batch, steps, labels + 1)`; see `LabelDecoder`."""
        encoded = self.encode(images)
        return encoded.parallel, self.decoder(encoded.image, sequences, forced)
