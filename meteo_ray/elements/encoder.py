"""The image side of the network: a ResNet that can trade time for memory (R28)."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from meteo_ray.backbones import resnet, to_float


class ImageEncoder(nn.Module):
    """uint8 pixels `(batch, height, width, 3)` -> pooled features `(batch, output_features)`.

    With `checkpointing` the activations inside the four residual stages are not kept but computed again in the backward
    pass. It has no effect under torch.compile, which plans its own recomputation.
    """

    def __init__(self, backbone: str, init: str, input_size: tuple[int, int], checkpointing: bool = False) -> None:
        super().__init__()
        self.input_size, self.checkpointing = input_size, checkpointing
        self.backbone: Any = resnet(backbone, init)
        self.output_features = cast(int, self.backbone.output_features)

    def forward(self, images: Tensor) -> Tensor:
        pixels = to_float(images, self.input_size)
        if not (self.checkpointing and torch.is_grad_enabled()) or torch.compiler.is_compiling():
            features: Tensor = self.backbone(pixels)
            return features
        return self._checkpointed(pixels)

    def _checkpointed(self, pixels: Tensor) -> Tensor:
        net = self.backbone
        x = net.maxpool(net.relu(net.bn1(net.conv1(pixels))))
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = checkpoint(stage, x, use_reentrant=False, context_fn=partial(_contexts, stage))
        pooled: Tensor = net.avgpool(x)
        return pooled.flatten(1)


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
