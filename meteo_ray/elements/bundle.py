"""The element stage's files in a model bundle: what training writes and the predictor reads back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save_file

from meteo_ray import bundle
from meteo_ray.elements.calibration import ElementsCalibration
from meteo_ray.elements.config import ElementsTraining
from meteo_ray.elements.label_order import LabelOrder
from meteo_ray.elements.model import ElementsDimensions, ElementsModel
from meteo_ray.errors import UsageError
from meteo_ray.files import read_json, write_json
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.imaging.load import PREPROCESSING_VERSION
from meteo_ray.versions import versions
from meteo_ray.vocabulary import Vocabulary

STAGE = "elements"


@dataclass(frozen=True)
class ElementsBundle:
    """A bundle in memory: the model on the CPU in eval mode, and what turns its outputs into columns."""

    model: ElementsModel
    calibration: ElementsCalibration
    element_ids: tuple[str, ...]
    beam_width: int
    max_labels: int
    version: str


def write_bundle(
    folder: Path,
    model: ElementsModel,
    config: ElementsTraining,
    vocabulary: Vocabulary,
    counts: NDArray[np.int64],
    calibration: ElementsCalibration,
) -> None:
    """Write weights.safetensors, config.json, labels.yaml and calibration.json into an existing folder.

    `counts` `(labels,)` are the training rows of every label; they fixed the order of the training sequences.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / bundle.WEIGHTS)
    ids = vocabulary.element_ids
    document = {
        "stage": STAGE,
        "bundle_version": bundle.BUNDLE_VERSION,
        "labels": list(ids),
        "label_counts": {ids[label]: int(counts[label]) for label in LabelOrder.by_frequency(counts).frequent_first},
        "image_size": list(INPUT_SIZE),
        "input_size": list(config.input_size),
        "preprocessing_version": PREPROCESSING_VERSION,
        "dimensions": model.dimensions.to_json(),
        "beam_width": config.beam_width,
        "max_labels": config.max_labels,
        "training": config.model_dump(mode="json"),
        "versions": versions(),
    }
    write_json(folder / bundle.CONFIG, document)
    (folder / bundle.LABELS).write_text(vocabulary.to_yaml(), "utf-8")
    write_json(folder / bundle.CALIBRATION, calibration.to_json(ids))


def read_bundle(folder: Path, vocabulary: Vocabulary | None = None) -> ElementsBundle:
    """Read a bundle after checking its sums, labels, image size and weights.

    Raises:
        UsageError: naming what is missing, damaged, or made for something else.
    """
    version = bundle.check(folder, STAGE)
    config = bundle.read_config(folder, STAGE)
    ids = bundle.read_labels(folder, vocabulary, ("elements",)).element_ids
    _check_fits(folder, config, ids)
    tensors = bundle.read_weights(folder)
    try:
        model = ElementsModel(ElementsDimensions.from_json(config["dimensions"]))
        model.load_state_dict(tensors)
        calibration = ElementsCalibration.from_json(read_json(folder / bundle.CALIBRATION), ids)
        return ElementsBundle(model.eval(), calibration, ids, config["beam_width"], config["max_labels"], version)
    except (RuntimeError, TypeError, KeyError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise UsageError(f"{folder}: not an element model as this meteo_ray builds it ({reason})") from None


def _check_fits(folder: Path, config: dict[str, Any], ids: tuple[str, ...]) -> None:
    wanted = {"image_size": list(INPUT_SIZE), "preprocessing_version": PREPROCESSING_VERSION}
    problems = [
        f"{name}: {config.get(name)} in the model, {value} here"
        for name, value in wanted.items()
        if config.get(name) != value
    ]
    if config.get("labels") != list(ids):
        problems.append(f"labels: {config.get('labels')} in {bundle.CONFIG}, {list(ids)} in {bundle.LABELS}")
    if problems:
        raise UsageError.of_problems(f"{folder}: made for other images or labels; train it again:", problems)
