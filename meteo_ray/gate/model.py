"""The gate's network: a ResNet-18 and one logit (plan 3.1)."""

from typing import cast

import torch
from torch import Tensor, nn

from meteo_ray.backbones import resnet, to_float

ARCHITECTURE = "resnet18"


class GateModel(nn.Module):
    """uint8 pixels `(batch, height, width, 3)` -> float32 logits `(batch,)`; positive means "a weather chart".

    Args:
        init: see `backbones.resnet`.
        input_size: width and height that the network reads; larger images are reduced on the device.
    """

    def __init__(self, init: str = "none", input_size: tuple[int, int] = (320, 240)) -> None:
        super().__init__()
        self.input_size = (input_size[0], input_size[1])
        self.backbone = resnet(ARCHITECTURE, init)
        self.head = nn.Linear(cast(int, self.backbone.output_features), 1)

    def forward(self, images: Tensor) -> Tensor:
        features = self.backbone(to_float(images, self.input_size))
        # bfloat16 keeps 8 bits: around a logit of 5 it would round probabilities to the same few values.
        with torch.autocast(images.device.type, enabled=False):
            logits: Tensor = self.head(features.float())
        return logits.squeeze(1)
