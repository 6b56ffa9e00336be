"""The image side of the network: a ResNet that can trade time for memory (R28)."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from meteo_ray.backbones import resnet, to_float


class Features(NamedTuple):
    """Images after the encoder, in the dtype of its last convolution (bfloat16 under autocast).

    `feature_map` `(batch, channels, height, width)` is a 32nd of the input's height and width, rounded up; `pooled`
    `(batch, channels)` its mean over all places.
    """

    feature_map: Tensor
    pooled: Tensor


class ImageEncoder(nn.Module):
    """uint8 pixels `(batch, height, width, 3)` -> `Features` of `output_features` channels.

    With `checkpointing` the activations inside the four residual stages are not kept but computed again in the backward
    pass. It has no effect under torch.compile, which plans its own recomputation.
    """

    def __init__(self, backbone: str, init: str, input_size: tuple[int, int], checkpointing: bool = False) -> None:
        super().__init__()
        self.input_size, self.checkpointing = input_size, checkpointing
        network: Any = resnet(backbone, init)
        self.output_features = cast(int, network.output_features)
        # Pooling and classifier, which hold no weights, are left out: the rest ends with the feature map, under the
        # names that bundles hold and as one module, which int8_encoder.py can replace.
        self.backbone: Any = nn.Sequential(OrderedDict(list(network.named_children())[:-2]))
        self.pool = network.avgpool

    def forward(self, images: Tensor) -> Features:
        pixels = to_float(images, self.input_size)
        saves_memory = self.checkpointing and torch.is_grad_enabled() and not torch.compiler.is_compiling()
        feature_map: Tensor = self._checkpointed(pixels) if saves_memory else self.backbone(pixels)
        return Features(feature_map, self.pool(feature_map).flatten(1))

    def _checkpointed(self, pixels: Tensor) -> Tensor:
        x = pixels
        for part in self.backbone:
            is_stage = isinstance(part, nn.Sequential)
            x = checkpoint(part, x, use_reentrant=False, context_fn=partial(_contexts, part)) if is_stage else part(x)
        return x


def _contexts(stage: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Nothing special around the first computation; statistics held still around the second."""
    return nullcontext(), _statistics_held(stage)


@contextmanager
def _statistics_held(stage: nn.Module) -> Iterator[None]:
    """Without this the second computation would move the running mean and variance of a batch a second time."""
    layers = [module for module in stage.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
