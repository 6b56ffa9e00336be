"""Where in a chart the network sees an element: gradient-weighted class activation (Selvaraju et al. 2017, section 3).

Of the parallel head's logit y of an element and the feature map A of the encoder, Grad-CAM is

    w_k = mean over places of dy/dA_k           map = ReLU(sum_k w_k A_k)

For a linear head on pooled features this is class activation mapping (Zhou et al. 2016), the share of each place in the
logit, up to a factor. Any other head will do as well, since only its gradient is asked for.
"""

from typing import Any

import numpy as np
import torch
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from meteo_ray.elements.model import ElementsModel

# From light yellow to dark red: told from paper and from the blues and greens that fill most charts.
COLOURS = "YlOrRd"

# How much of the chart the hottest place hides.
COVER = 0.75


def heat_map(model: ElementsModel, image: Tensor, label: int) -> NDArray[np.float32]:
    """Float32 `(height, width)` of the feature map, scaled to [0, 1]; all 0 where nothing speaks for the label.

    Args:
        model: in eval mode.
        image: uint8 `(height, width, 3)` on the model's device.
        label: its number in the vocabulary.
    """
    seen: list[Tensor] = []

    def cut(module: torch.nn.Module, inputs: Any, output: Tensor) -> Tensor:
        """What comes after reads a leaf, so that gradients are of the head alone, whatever the encoder is made of."""
        seen.append(output.detach().requires_grad_())
        return seen[-1]

    with torch.enable_grad(), model.encoder.backbone.register_forward_hook(cut):
        logit = model.encode(image[None]).parallel[0, label]
        (gradient,) = torch.autograd.grad(logit, seen[0])
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    heat = torch.relu((weights * seen[0].detach()).sum(dim=1))[0].float()
    return np.asarray((heat / heat.max().clamp(min=torch.finfo(heat.dtype).tiny)).cpu(), dtype=np.float32)


def overlaid(image: NDArray[np.uint8], heat: NDArray[np.float32]) -> Image.Image:
    """The image `(height, width, 3)` in grey, coloured where the map `(rows, columns)` is hot."""
    size = (image.shape[1], image.shape[0])
    grey = np.asarray(Image.fromarray(image).convert("L"), dtype=np.float32)[..., None]
    smooth = np.asarray(Image.fromarray(heat).resize(size, Image.Resampling.BILINEAR))
    colours = 255 * colormaps[COLOURS](smooth)[..., :3]
    share = COVER * smooth[..., None]
    return Image.fromarray((grey * (1 - share) + colours * share).astype(np.uint8))
