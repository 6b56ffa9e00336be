"""The image encoder in 8-bit integers for inference on a CPU (R27).

Post-training static quantisation (Jacob et al. 2018): weights in int8 by output channel, activations in uint8 with
ranges observed on sample images, batch normalisation folded into the convolutions. The heads and the decoder stay in
float32: they are a thousandth of the work and decide the ranking.
"""

import warnings

import numpy as np
import torch
from torch.ao.quantization import get_default_qconfig_mapping
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

from meteo_ray.backbones import to_float
from meteo_ray.elements.model import ElementsModel
from meteo_ray.errors import UsageError

# Ranges are those of a histogram over all activations; they settle within a few dozen images.
SAMPLE_IMAGES = 64
SAMPLE_BATCH = 16


@torch.no_grad()
def quantize_encoder(model: ElementsModel, images: np.ndarray) -> None:
    """Replace the encoder of a CPU model in eval mode by its 8-bit twin, in place.

    Args:
        model: as loaded from a bundle.
        images: uint8 `(rows, height, width, 3)`, like those to be judged; at most 64 are looked at, evenly spaced.

    Raises:
        UsageError: when there is no image, or this processor has no 8-bit kernels for it.
    """
    if not len(images):
        raise UsageError("quantize int8 needs sample images to learn the ranges of the activations from")
    if "x86" not in torch.backends.quantized.supported_engines:
        raise UsageError("quantize int8 needs a processor of the x86-64 kind; leave it out here")
    torch.backends.quantized.engine = "x86"
    chosen = images[np.unique(np.linspace(0, len(images) - 1, SAMPLE_IMAGES).astype(int))]
    pixels = to_float(torch.from_numpy(np.array(chosen)), model.encoder.input_size)
    with warnings.catch_warnings():
        # torch announces that torch.ao will move to the torchao package; it would be one more dependency today.
        warnings.simplefilter("ignore")
        observed = prepare_fx(model.encoder.backbone, get_default_qconfig_mapping("x86"), (pixels[:1],))
        for batch in pixels.split(SAMPLE_BATCH):
            observed(batch)
        model.encoder.backbone = convert_fx(observed)
