"""The retrieval stage's files in a model bundle: what training writes and the predictor reads back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file

from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.files import write_json
from meteo_ray.retrieval.config import RetrievalTraining
from meteo_ray.retrieval.model import RetrievalDimensions, RetrievalModel
from meteo_ray.versions import versions
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.bundle import PREPARED, as_built_here, require_fits

STAGE, MODEL = "retrieval", "a retrieval model"
BACKGROUND = "background.safetensors"

# Charts that a bundle keeps to compare with: 2000 x 2048 features of 2 bytes are 8 MB.
MOST_BACKGROUND = 2000


@dataclass(frozen=True)
class Background:
    """Validation charts, which no training has seen: what distances between charts look like.

    `features` float32 `(rows, features)`, as the predictor gives them; `products` bool `(rows, products)`, at most one
    true, none where the product is not known, whatever charts are compared by; `names` of the products.
    """

    features: NDArray[np.float32]
    products: NDArray[np.bool_]
    names: tuple[str, ...]


@dataclass(frozen=True)
class RetrievalBundle:
    """A bundle in memory, the model on the CPU in eval mode."""

    model: RetrievalModel
    background: Background
    version: str


def write_bundle(
    folder: Path,
    tensors: Mapping[str, torch.Tensor],
    dimensions: RetrievalDimensions,
    config: RetrievalTraining,
    vocabulary: Vocabulary,
    background: Background,
) -> None:
    """Write weights, config.json, labels.yaml and at most MOST_BACKGROUND charts of the background into a folder."""
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, folder / bundle.WEIGHTS)
    charts = len(background.features)
    rows = np.linspace(0, charts - 1, min(charts, MOST_BACKGROUND)).round().astype(int)
    features, products = background.features[rows], background.products[rows]
    arrays = {"features": features.astype(np.float16), "products": products.astype(np.uint8)}
    save_arrays(arrays, folder / BACKGROUND)
    document = {
        "stage": STAGE,
        "bundle_version": bundle.BUNDLE_VERSION,
        "products": list(background.names),
        "dimensions": dimensions.to_json(),
        **PREPARED,
        "training": config.model_dump(mode="json"),
        "versions": versions(),
    }
    write_json(folder / bundle.CONFIG, document)
    (folder / bundle.LABELS).write_text(vocabulary.to_yaml(), "utf-8")


def read_bundle(folder: Path, vocabulary: Vocabulary | None = None) -> RetrievalBundle:
    """Read a bundle after checking its sums, image size and weights.

    `vocabulary` is what every stage is given; codes name no label, so another one keeps nobody from searching.

    Raises:
        UsageError: naming what is missing, damaged, or made for something else.
    """
    version = bundle.check(folder, STAGE)
    config = bundle.read_config(folder, STAGE)
    require_fits(folder, config, {})
    tensors = bundle.read_weights(folder)
    with as_built_here(folder, MODEL):
        model = RetrievalModel(RetrievalDimensions.from_json(config["dimensions"]))
        model.load_state_dict(tensors)
        return RetrievalBundle(model.eval(), _background(folder, config), version)


def _background(folder: Path, config: Mapping[str, Any]) -> Background:
    try:
        arrays = load_arrays(folder / BACKGROUND)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{folder / BACKGROUND}: cannot be read: {error}; train it again") from None
    features = arrays["features"].astype(np.float32)
    if "products" in config:
        return Background(features, arrays["products"].astype(bool), tuple(config["products"]))
    # Of bundles before products were kept: classes are products where charts were compared by these, else elements.
    if config["training"]["relevance"] == "products":
        return Background(features, arrays["classes"].astype(bool), tuple(config["classes"]))
    return Background(features, np.zeros((len(features), 0), dtype=bool), ())


def unit(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows of length 1, float32, so that products are cosines."""
    lengths = np.linalg.norm(features.astype(np.float32), axis=1, keepdims=True)
    scaled: NDArray[np.float32] = features.astype(np.float32) / np.maximum(lengths, 1e-12)
    return scaled
