"""The image encoder in 8-bit integers for inference on a CPU (R27).

Post-training static quantisation (Jacob et al. 2018): weights in int8 by output channel, activations in uint8 with
ranges observed on sample images, batch normalisation folded into the convolutions. The heads and the decoder stay in
float32: they are a thousandth of the work and decide the ranking.

Training observes the ranges on validation images and keeps them in the bundle: whoever loads it computes the same.
"""

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.ao.quantization import HistogramObserver, MinMaxObserver, QConfig, QConfigMapping
from torch.ao.quantization.observer import UniformQuantizationObserverBase, default_per_channel_weight_observer
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx
from torch.fx import GraphModule

from meteo_ray.backbones import to_float
from meteo_ray.elements.model import ElementsModel
from meteo_ray.errors import UsageError
from meteo_ray.files import read_json, write_json

Ranges = Mapping[str, Sequence[float]]
"""Operation of the traced encoder -> the lowest and the highest value that its output is quantised to."""

RANGES = "activation_ranges.json"

# Every image brings thousands of activations of each operation: measured with 8 to 128 images, scores differed from
# those in float32 by the same 0.001 on average.
SAMPLE_IMAGES = 32
SAMPLE_BATCH = 16

ENGINE = "x86"

# As in torch's own settings for x86, activations use seven of the bits: without VNNI a processor adds products up in
# 16 bits, which eight would overflow.
LARGEST_ACTIVATION = 127


@contextmanager
def _without_announcements() -> Iterator[None]:
    """torch announces that quantisation will move to the torchao package; it would be one more dependency today."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def require_int8(device: torch.device) -> None:
    """Raise UsageError where there are no 8-bit kernels."""
    if device.type != "cpu":
        raise UsageError(
            f"elements in 8 bits run on a CPU, not on {device.type}; leave --cascade.elements-8bit out, or hide the "
            "GPU (CUDA_VISIBLE_DEVICES=)"
        )
    if ENGINE not in torch.backends.quantized.supported_engines:
        raise UsageError(
            "elements in 8 bits need a processor of the x86-64 kind; leave --cascade.elements-8bit out here"
        )


def sample_rows(rows: int) -> NDArray[np.int64]:
    """Positions of at most 32 of some rows, evenly spaced."""
    taken = min(rows, SAMPLE_IMAGES)
    return np.arange(taken, dtype=np.int64) * rows // max(taken, 1)


@torch.no_grad()
@_without_announcements()
def activation_ranges(model: ElementsModel, images: np.ndarray) -> Ranges:
    """Observe the encoder of a model, on any device, on uint8 `(rows, height, width, 3)` like those to be judged.

    Histograms decide how much of rare large values is cut off. At most 32 images are looked at.

    Raises:
        UsageError: when there is no image.
    """
    if not len(images):
        raise UsageError("elements in 8 bits: no sample image to observe the ranges of the activations on")
    encoder = copy.deepcopy(model.encoder).cpu().eval()
    pixels = to_float(torch.from_numpy(images[sample_rows(len(images))]), encoder.input_size)
    observed = _observed(encoder.backbone, HistogramObserver)
    for batch in pixels.split(SAMPLE_BATCH):
        observed(batch)
    return {name: _range(observer) for name, observer in _observers(observed)}


def write_ranges(folder: Path, ranges: Ranges) -> None:
    """Write activation_ranges.json into a bundle."""
    write_json(folder / RANGES, ranges)


def read_ranges(folder: Path) -> Ranges:
    """Those of a bundle. Raises UsageError when it has none."""
    require_ranges(folder)
    return read_json(folder / RANGES)


def require_ranges(folder: Path) -> None:
    """Raise UsageError when a bundle was trained before ranges were observed."""
    if not (folder / RANGES).is_file():
        raise UsageError(
            f"{folder}: cannot compute in 8 bits: it has no {RANGES}, which earlier trainings did not write; train it "
            "again, or leave --cascade.elements-8bit out"
        )


@torch.no_grad()
@_without_announcements()
def quantize_encoder(model: ElementsModel, ranges: Ranges) -> None:
    """Replace the encoder of a CPU model in eval mode by its 8-bit twin, in place.

    Raises:
        UsageError: when `ranges` are not those of this encoder.
    """
    torch.backends.quantized.engine = ENGINE
    observed = _observed(model.encoder.backbone, MinMaxObserver)
    observers = dict(_observers(observed))
    if observers.keys() != ranges.keys():
        raise UsageError(f"{RANGES}: not of this encoder as this torch traces it; train the elements again")
    for name, observer in observers.items():
        observer(torch.tensor(ranges[name]))
    model.encoder.backbone = convert_fx(observed)


def _observed(backbone: nn.Module, observer: type[UniformQuantizationObserverBase]) -> GraphModule:
    """The traced backbone with batch normalisation folded in and an observer behind every operation."""
    of_activations = observer.with_args(quant_min=0, quant_max=LARGEST_ACTIVATION)
    mapping = QConfigMapping().set_global(QConfig(of_activations, default_per_channel_weight_observer))
    return prepare_fx(backbone, mapping, (torch.zeros(1, 3, 64, 64),))


def _observers(observed: GraphModule) -> Iterator[tuple[str, UniformQuantizationObserverBase]]:
    """Operation -> the observer of its output; operations that only move values share one with what they read."""
    for node in observed.graph.nodes:
        module = observed.get_submodule(node.target) if node.op == "call_module" else None
        if isinstance(module, UniformQuantizationObserverBase):
            yield node.args[0].name, module


def _range(observer: UniformQuantizationObserverBase) -> tuple[float, float]:
    scale, zero_point = (float(value) for value in observer.calculate_qparams())
    return (observer.quant_min - zero_point) * scale, (observer.quant_max - zero_point) * scale
