"""The gate's network: a ResNet-18 and one logit (plan 3.1)."""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from meteo_ray.backbones import initial_tensors, resnet, to_float

ARCHITECTURE = "resnet18"


class GateLogits(NamedTuple):
    """`chart` float32 `(batch,)`, positive means "a weather chart"; `kind` `(batch, kinds)` where there is a head."""

    chart: Tensor
    kind: Tensor | None


class GateModel(nn.Module):
    """uint8 pixels `(batch, height, width, 3)` -> logits.

    Args:
        init: see `backbones.resnet`; the head too is taken over from a gate.
        input_size: width and height that the network reads; larger images are reduced on the device.
        kinds: classes of the second head that only training uses; 0 for none.
    """

    def __init__(self, init: str = "none", input_size: tuple[int, int] = (320, 240), kinds: int = 0) -> None:
        super().__init__()
        self.input_size = (input_size[0], input_size[1])
        self.backbone = resnet(ARCHITECTURE, init)
        features = cast(int, self.backbone.output_features)
        self.head = nn.Linear(features, 1)
        known = initial_tensors(ARCHITECTURE, init)
        if "head.weight" in known and known["head.weight"].shape == self.head.weight.shape:
            self.head.load_state_dict({name: known[f"head.{name}"] for name in ("weight", "bias")})
        self.kind_head = nn.Linear(features, kinds) if kinds else None

    def forward(self, images: Tensor) -> GateLogits:
        features = self.backbone(to_float(images, self.input_size))
        # bfloat16 keeps 8 bits: around a logit of 5 it would round probabilities to the same few values.
        with torch.autocast(images.device.type, enabled=False):
            features = features.float()
            kinds = None if self.kind_head is None else self.kind_head(features)
            return GateLogits(self.head(features).squeeze(1), kinds)
