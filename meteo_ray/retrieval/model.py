"""The network: a ResNet, one global and several local branches with spatial decay attention, and linear coders."""

from collections import OrderedDict
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from meteo_ray.backbones import resnet, to_float
from meteo_ray.retrieval.config import RetrievalTraining
from meteo_ray.retrieval.decay_attention import DecayAttention

DATABASE = "database"
"""The buffer of the codes that training solves for; no part of a bundle."""


class Encoded(NamedTuple):
    """`outputs` `(batch, bits)`: their signs are the code. `pooled` `(batch, channels)`: the trunk's mean over all
    places, which tells products that nobody trained for apart better than what the branches make of it. Both float32.
    """

    outputs: Tensor
    pooled: Tensor


@dataclass(frozen=True)
class RetrievalDimensions:
    """What a network is built of."""

    backbone: str
    input_size: tuple[int, int]
    bits: int
    local_branches: int
    attention_size: int
    decay: float
    convolution: bool

    @classmethod
    def of(cls, config: RetrievalTraining) -> Self:
        return cls(
            config.backbone,
            config.input_size,
            config.bits,
            config.local_branches,
            config.attention_size,
            config.decay,
            config.convolution,
        )

    def branch_bits(self) -> list[int]:
        """Of the global branch, then of each local one: k / 6 for each of them, rounded down, and the rest for the
        global one; half of the code with three local branches."""
        local = self.bits // 6
        return [self.bits - self.local_branches * local, *[local] * self.local_branches]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        width, height = document["input_size"]
        return cls(**{**document, "input_size": (width, height)})


class Branch(nn.Module):
    """A feature map -> outputs for its bits `(batch, bits)`; a local one first looks for its place.

    The place is a map in (0, 1) over the features, from a 1x1 convolution.
    """

    def __init__(self, channels: int, bits: int, dimensions: RetrievalDimensions, local: bool) -> None:
        super().__init__()
        size = dimensions.attention_size
        self.place = nn.Conv2d(channels, 1, 1) if local else None
        self.attention = DecayAttention(channels, size, dimensions.decay, dimensions.convolution)
        self.normalise = nn.LayerNorm(size)
        self.coder = nn.Linear(size, bits)

    def forward(self, features: Tensor) -> Tensor:
        if self.place is not None:
            features = features * torch.sigmoid(self.place(features))
        attended = self.attention(features).mean(dim=(2, 3))
        with torch.autocast(features.device.type, enabled=False):
            outputs: Tensor = self.coder(self.normalise(attended.float()))
            return outputs


class RetrievalModel(nn.Module):
    """uint8 pixels `(batch, height, width, 3)` -> `Encoded`.

    Args:
        init: see `backbones.resnet`.
        database: int8 `(training rows, bits)` of -1 and 1, the codes that training solves for, where it does: they are
            a part of its state, so that a run that goes on has them.
    """

    database: Tensor | None

    def __init__(self, dimensions: RetrievalDimensions, init: str = "none", database: Tensor | None = None) -> None:
        super().__init__()
        self.dimensions = dimensions
        network: Any = resnet(dimensions.backbone, init)
        channels = int(network.output_features)
        # Pooling and classifier are left out: the branches read the feature map.
        self.backbone = nn.Sequential(OrderedDict(list(network.named_children())[:-2]))
        bits = dimensions.branch_bits()
        self.branches = nn.ModuleList(
            Branch(channels, count, dimensions, local=number > 0) for number, count in enumerate(bits)
        )
        self.register_buffer(DATABASE, database)

    def forward(self, images: Tensor) -> Encoded:
        features = self.backbone(to_float(images, self.dimensions.input_size))
        return self.coded(features)

    def coded(self, features: Tensor) -> Encoded:
        """What the branches make of the trunk's feature map `(batch, channels, height, width)`."""
        outputs = [branch(features) for branch in self.branches]
        return Encoded(torch.cat(outputs, dim=1), features.float().mean(dim=(2, 3)))
