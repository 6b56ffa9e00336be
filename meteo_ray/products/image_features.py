"""What the language model sees of an image: the vision tower's patches, pooled and projected to soft tokens.

With LoRA the tower and the projector are frozen: then they stay out of autograd, so that a step neither keeps nor
repeats their activations, and they compute in the type of their own weights whatever autocast is in force, so that the
same pixels give the same features wherever they are computed (they can be kept, see `feature_store`).
"""

from contextlib import nullcontext
from typing import Any

import torch
from torch import nn
from transformers.modeling_outputs import BaseModelOutputWithPooling

from meteo_ray.products.base_model import GemmaBase


def vision_parts(model: Any) -> tuple[nn.Module, nn.Module]:
    """The vision tower and the projector to the language model's width."""
    return model.model.vision_tower, model.model.multi_modal_projector


def vision_is_frozen(model: nn.Module) -> bool:
    return not any(parameter.requires_grad for part in vision_parts(model) for parameter in part.parameters())


def image_features(model: Any, base: GemmaBase, images: torch.Tensor) -> torch.Tensor:
    """uint8 `(rows, height, width, 3)` -> soft tokens `(rows, tokens, hidden)` of the tower's type.

    Part of autograd only where tower or projector are trained.
    """
    pixels = base.pixel_values(images)
    if not vision_is_frozen(model):
        return _forward(model, pixels)
    for part in vision_parts(model):
        part.eval()  # what learns nothing needs no dropout
    without_gradient = nullcontext() if torch.is_inference_mode_enabled() else torch.no_grad()
    with without_gradient, torch.autocast(images.device.type, enabled=False):
        return _forward(model, pixels)


def as_model_input(features: torch.Tensor) -> dict[str, BaseModelOutputWithPooling]:
    """Features as transformers' `mm_encoder_outputs`, in place of pixels."""
    return {"image": BaseModelOutputWithPooling(pooler_output=features)}


def _forward(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    features: torch.Tensor = model.get_image_features(pixels, return_dict=True).pooler_output
    return features
