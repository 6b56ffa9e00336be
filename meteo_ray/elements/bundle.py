"""The element stage's files in a model bundle: what training writes and the predictor reads back."""

from collections.abc import Iterator
from contextlib import contextmanager
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
from meteo_ray.elements.verdict import ElementsVerdict
from meteo_ray.errors import UsageError
from meteo_ray.files import read_json, write_json
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.imaging.load import PREPROCESSING_VERSION
from meteo_ray.versions import versions
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.voters import Voters

STAGE = "elements"


@dataclass(frozen=True)
class ElementsBundle:
    """A bundle in memory: the model on the CPU in eval mode, who votes beside it, and what turns votes into columns."""

    model: ElementsModel
    voters: Voters
    verdict: ElementsVerdict
    beam_width: int
    max_labels: int
    version: str


def write_bundle(
    folder: Path,
    model: ElementsModel,
    config: ElementsTraining,
    vocabulary: Vocabulary,
    counts: NDArray[np.int64],
    verdict: ElementsVerdict,
    voters: Voters,
) -> None:
    """Write the model, what votes beside it, and labels.yaml, config.json and calibration.json into a folder.

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
        **voters.write(folder),
        "training": config.model_dump(mode="json"),
        "versions": versions(),
    }
    write_json(folder / bundle.CONFIG, document)
    (folder / bundle.LABELS).write_text(vocabulary.to_yaml(), "utf-8")
    calibrations = {"image": verdict.image, "image_and_text": verdict.with_text}
    write_json(folder / bundle.CALIBRATION, {name: part and part.to_json(ids) for name, part in calibrations.items()})


def read_bundle(folder: Path, vocabulary: Vocabulary | None = None) -> ElementsBundle:
    """Read a bundle after checking its sums, labels, image size and weights.

    Raises:
        UsageError: naming what is missing, damaged, or made for something else.
    """
    version = bundle.check(folder, STAGE)
    config, voters, verdict = _read_verdict(folder, vocabulary)
    tensors = bundle.read_weights(folder)
    with _as_built_here(folder):
        model = ElementsModel(ElementsDimensions.from_json(config["dimensions"]))
        model.load_state_dict(tensors)
        return ElementsBundle(model.eval(), voters, verdict, config["beam_width"], config["max_labels"], version)


def read_verdict(folder: Path, vocabulary: Vocabulary | None = None) -> ElementsVerdict:
    """What decides on votes, without the network that gives them. Raises UsageError like `read_bundle`."""
    bundle.check(folder, STAGE)
    return _read_verdict(folder, vocabulary)[2]


def _read_verdict(folder: Path, vocabulary: Vocabulary | None) -> tuple[dict[str, Any], Voters, ElementsVerdict]:
    config = bundle.read_config(folder, STAGE)
    trained = bundle.read_labels(folder, vocabulary, ("elements",))
    ids = trained.element_ids
    _check_fits(folder, config, ids)
    with _as_built_here(folder):
        document = read_json(folder / bundle.CALIBRATION)
        image, with_text = (
            document[name] and ElementsCalibration.from_json(document[name], ids)
            for name in ("image", "image_and_text")
        )
        voters = Voters.read(folder, config, len(ids))
    return config, voters, ElementsVerdict(trained, image, with_text, voters.text)


@contextmanager
def _as_built_here(folder: Path) -> Iterator[None]:
    try:
        yield
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
