"""The element stage's files in a model bundle: what training writes and the predictor reads back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meteo_ray import bundle
from meteo_ray.elements.calibration import ElementsCalibration
from meteo_ray.elements.config import ElementsTraining
from meteo_ray.elements.label_order import LabelOrder
from meteo_ray.elements.model import ElementsDimensions, ElementsModel
from meteo_ray.elements.verdict import ElementsVerdict
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters import bundle as voted
from meteo_ray.voters.voters import Voters

STAGE, MODEL = "elements", "an element model"


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
    counts: NDArray[np.int64],
    verdict: ElementsVerdict,
    voters: Voters,
) -> None:
    """Write the model, what votes beside it, and labels.yaml, config.json and calibration.json into a folder.

    `counts` `(labels,)` are the training rows of every label; they fixed the order of the training sequences.
    """
    ids = verdict.vocabulary.element_ids
    details = {
        "labels": list(ids),
        "label_counts": {ids[label]: int(counts[label]) for label in LabelOrder.by_frequency(counts).frequent_first},
        "input_size": list(config.input_size),
        "dimensions": model.dimensions.to_json(),
        "beam_width": config.beam_width,
        "max_labels": config.max_labels,
    }

    def calibration_json(calibration: ElementsCalibration) -> dict[str, Any]:
        return calibration.to_json(ids)

    voted.write_bundle(folder, STAGE, model.state_dict(), config, verdict, voters, calibration_json, **details)


def read_bundle(folder: Path, vocabulary: Vocabulary | None = None) -> ElementsBundle:
    """Read a bundle after checking its sums, labels, image size and weights.

    Raises:
        UsageError: naming what is missing, damaged, or made for something else.
    """
    version = bundle.check(folder, STAGE)
    config, voters, verdict = _read_verdict(folder, vocabulary)
    tensors = bundle.read_weights(folder)
    with voted.as_built_here(folder, MODEL):
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
    voted.require_fits(folder, config, {"labels": list(ids)})
    with voted.as_built_here(folder, MODEL):
        image, with_text = voted.read_calibrations(folder, lambda entry: ElementsCalibration.from_json(entry, ids))
        voters = Voters.read(folder, config, len(ids))
    return config, voters, ElementsVerdict(trained, image, with_text, voters.text)
