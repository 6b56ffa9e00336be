"""Weights in a quarter of their bytes, for bundles that travel with the package: int8 with a scale for each output.

Only the file is small: what is read back is float32, so that nothing else knows of it.
"""

from collections.abc import Mapping

import torch

Tensors = dict[str, torch.Tensor]

# Names of what stands in the file in a tensor's place.
VALUES, SCALE = ".int8", ".scale"

# Smaller tensors, such as biases and what normalises, stay as they are: together a hundredth.
LEAST_WEIGHTS = 4096

# Of int8, symmetric: -128 is left out.
MOST = 127


def packed(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """What to write in the place of `tensors`: see `unpacked`. Values are rounded, by 1/254 of an output's largest."""
    found: Tensors = {}
    for name, tensor in tensors.items():
        large = tensor.is_floating_point() and tensor.dim() > 1 and tensor.numel() >= LEAST_WEIGHTS
        found |= _quantised(name, tensor.float()) if large else {name: tensor}
    return {name: tensor.contiguous() for name, tensor in found.items()}


def unpacked(tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """The tensors that `packed` was given, as float32; others come back as they are.

    Raises:
        KeyError: when a scale is missing.
    """
    found: Tensors = {}
    for name, tensor in tensors.items():
        if name.endswith(VALUES):
            whole = name.removesuffix(VALUES)
            scale = tensors[whole + SCALE].float()
            found[whole] = tensor.float() * scale.reshape(-1, *[1] * (tensor.dim() - 1))
        elif name.endswith(SCALE) and name.removesuffix(SCALE) + VALUES in tensors:
            continue
        else:
            found[name] = tensor
    return found


def _quantised(name: str, tensor: torch.Tensor) -> Tensors:
    """By output, the first axis."""
    scale = tensor.flatten(1).abs().amax(dim=1).clamp(min=1e-12) / MOST
    values = torch.round(tensor / scale.reshape(-1, *[1] * (tensor.dim() - 1)))
    return {name + VALUES: values.to(torch.int8), name + SCALE: scale}
