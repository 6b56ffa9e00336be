"""The ResNet encoders that gate and elements share, and where their first weights come from."""

from meteo_ray.backbones.resnet import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    init_digest,
    init_files,
    initial_tensors,
    resnet,
    resolve_init,
    to_float,
)

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "init_digest",
    "init_files",
    "initial_tensors",
    "resnet",
    "resolve_init",
    "to_float",
]
