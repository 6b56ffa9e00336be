"""The gate's network: a ResNet-18 and one logit (plan 3.1), with hand-made descriptors beside it if wanted."""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from meteo_ray.backbones import resnet, to_float
from meteo_ray.gate.descriptors import FEATURES

ARCHITECTURE = "resnet18"


class GateLogits(NamedTuple):
    """`chart` float32 `(batch,)`, positive means "a weather chart"; `kind` `(batch, kinds)` where there is a head."""

    chart: Tensor
    kind: Tensor | None


class GateModel(nn.Module):
    """uint8 pixels `(batch, height, width, 3)` -> logits.

    Args:
        init: see `backbones.resnet`.
        input_size: width and height that the network reads; larger images are reduced on the device.
        descriptors: whether the head also reads hand-made descriptors.
        kinds: classes of the second head that only training uses; 0 for none.
    """

    def __init__(
        self,
        init: str = "none",
        input_size: tuple[int, int] = (320, 240),
        descriptors: bool = False,
        kinds: int = 0,
    ) -> None:
        super().__init__()
        self.input_size = (input_size[0], input_size[1])
        self.descriptors = descriptors
        self.backbone = resnet(ARCHITECTURE, init)
        features = cast(int, self.backbone.output_features)
        self.head = GateHead(features, FEATURES if descriptors else 0)
        self.kind_head = nn.Linear(features, kinds) if kinds else None

    def forward(self, images: Tensor, descriptors: Tensor | None = None) -> GateLogits:
        """`descriptors` float32 `(batch, FEATURES)`, from `gate.descriptors`, when the head reads them."""
        features = self.backbone(to_float(images, self.input_size))
        # bfloat16 keeps 8 bits: around a logit of 5 it would round probabilities to the same few values.
        with torch.autocast(images.device.type, enabled=False):
            features = features.float()
            kinds = None if self.kind_head is None else self.kind_head(features)
            return GateLogits(self.head(features, descriptors), kinds)


class GateHead(nn.Module):
    """One linear layer over pooled features, and over descriptors brought to unit variance when there are any."""

    def __init__(self, features: int, descriptors: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(descriptors) if descriptors else None
        self.linear = nn.Linear(features + descriptors, 1)

    def forward(self, features: Tensor, descriptors: Tensor | None) -> Tensor:
        if self.norm is not None:
            if descriptors is None:
                raise ValueError("this gate reads descriptors beside the pixels, and none were given")
            features = torch.cat([features, self.norm(descriptors.float())], dim=1)
        logits: Tensor = self.linear(features)
        return logits.squeeze(1)
