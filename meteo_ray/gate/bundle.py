"""The gate's files in a model bundle: what training writes and the predictor reads back."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save_file
from scipy.special import expit
from torch import nn

from meteo_ray import bundle
from meteo_ray.calibration.probabilities import fit_temperature
from meteo_ray.calibration.thresholds import best_f1_threshold, threshold_for_precision, threshold_for_recall
from meteo_ray.errors import UsageError
from meteo_ray.files import read_json, write_json
from meteo_ray.gate.boosted_trees import read_trees, write_trees
from meteo_ray.gate.config import GateTraining
from meteo_ray.gate.model import ARCHITECTURE, GateModel
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.imaging.load import PREPROCESSING_VERSION
from meteo_ray.versions import versions
from meteo_ray.vocabulary import Vocabulary

if TYPE_CHECKING:
    from lightgbm import Booster

STAGE = "gate"

# Recalls and precisions that an archive owner may ask for by name instead of the threshold of best F1.
OPERATING_POINTS = (0.9, 0.95, 0.98, 0.99, 0.995)


@dataclass(frozen=True)
class GateCalibration:
    """Temperature and thresholds, fitted on the validation split.

    `for_recall` and `for_precision` map a wanted share, as text, to its threshold, or to None where none reaches it.
    Thresholds are of the calibrated probability. `trees_weight` is what one log-odd of the trees on descriptors adds to
    the network's logit, None without trees.
    """

    temperature: float
    threshold: float
    for_recall: dict[str, float | None] = field(default_factory=dict)
    for_precision: dict[str, float | None] = field(default_factory=dict)
    validation_positives: int = 0
    validation_negatives: int = 0
    trees_weight: float | None = None

    @classmethod
    def fit(cls, logits: np.ndarray, targets: np.ndarray, trees_weight: float | None = None) -> Self:
        """Fit on logits `(rows,)`, the trees' vote included, and targets `(rows,)` of 0 and 1 (R13, R40)."""
        temperature = fit_temperature(logits, targets)
        scores = _probabilities(logits, temperature)
        return cls(
            temperature=temperature,
            threshold=best_f1_threshold(targets, scores),
            for_recall={str(point): threshold_for_recall(targets, scores, point) for point in OPERATING_POINTS},
            for_precision={str(point): threshold_for_precision(targets, scores, point) for point in OPERATING_POINTS},
            validation_positives=int(targets.sum()),
            validation_negatives=int(len(targets) - targets.sum()),
            trees_weight=trees_weight,
        )

    def probabilities(self, logits: np.ndarray) -> NDArray[np.float32]:
        """Calibrated probabilities `(rows,)`; rounded to float32 here, so that thresholds see what users see."""
        return _probabilities(logits, self.temperature)

    def operating_point(self, threshold: float | None, min_recall: float | None, min_precision: float | None) -> float:
        """The threshold that the options ask for; that of best F1 when none is given.

        Raises:
            UsageError: more than one option, or a recall or precision that was not fitted or not reached.
        """
        given = [option for option in (threshold, min_recall, min_precision) if option is not None]
        if len(given) > 1:
            raise UsageError("the gate takes one of threshold, min_recall and min_precision, not several")
        if threshold is not None:
            return threshold
        if min_recall is not None:
            return _fitted(self.for_recall, min_recall, "min_recall")
        if min_precision is not None:
            return _fitted(self.for_precision, min_precision, "min_precision")
        return self.threshold


class Gate(NamedTuple):
    """What a bundle holds. `version` names it; `trees` vote beside the model where there are any."""

    model: GateModel
    trees: "Booster | None"
    calibration: GateCalibration
    version: str


def write_bundle(
    folder: Path,
    model: nn.Module,
    config: GateTraining,
    vocabulary: Vocabulary,
    calibration: GateCalibration,
    trees: "Booster | None" = None,
) -> None:
    """Write weights.safetensors, config.json, labels.yaml, calibration.json and any trees.txt into an existing folder.

    The head for kinds, which only training needs, is left out.
    """
    judging = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("kind_head.")}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in judging.items()}
    save_file(tensors, folder / bundle.WEIGHTS)
    document = {
        "stage": STAGE,
        "bundle_version": bundle.BUNDLE_VERSION,
        "architecture": ARCHITECTURE,
        "image_size": list(INPUT_SIZE),
        "input_size": list(config.input_size),
        "descriptors": trees is not None,
        "preprocessing_version": PREPROCESSING_VERSION,
        "training": config.model_dump(mode="json"),
        "versions": versions(),
    }
    write_json(folder / bundle.CONFIG, document)
    (folder / bundle.LABELS).write_text(vocabulary.to_yaml(), "utf-8")
    write_json(folder / bundle.CALIBRATION, asdict(calibration))
    if trees is not None:
        write_trees(folder, trees)


def read_bundle(folder: Path) -> Gate:
    """The model (CPU, eval mode), its trees and calibration, and the bundle's version.

    Raises:
        UsageError: naming what is missing, damaged, or made for something else.
    """
    version = bundle.check(folder, STAGE)
    config = bundle.read_config(folder, STAGE)
    _check_fits(folder, config)
    bundle.read_labels(folder)  # there and sound; no output of the gate depends on it
    model = GateModel("none", tuple(config["input_size"]))
    try:
        model.load_state_dict(bundle.read_weights(folder))
        calibration = GateCalibration(**read_json(folder / bundle.CALIBRATION))
    except (RuntimeError, TypeError) as error:
        raise UsageError(f"{folder}: does not hold a gate as this meteo_ray builds it: {error}") from None
    trees = read_trees(folder) if config["descriptors"] else None
    if (trees is None) != (calibration.trees_weight is None):
        raise UsageError(f"{folder}: trees and their weight in {bundle.CALIBRATION} do not go together; train it again")
    return Gate(model.eval(), trees, calibration, version)


def _check_fits(folder: Path, config: dict[str, Any]) -> None:
    wanted = {
        "architecture": ARCHITECTURE,
        "image_size": list(INPUT_SIZE),
        "preprocessing_version": PREPROCESSING_VERSION,
    }
    problems = [
        f"{name}: {config.get(name)} in the model, {value} here"
        for name, value in wanted.items()
        if config.get(name) != value
    ]
    problems += [f"{name}: missing in the model" for name in ("input_size", "descriptors") if name not in config]
    if problems:
        raise UsageError.of_problems(f"{folder}: the gate was made for other images; train it again:", problems)


def _probabilities(logits: np.ndarray, temperature: float) -> NDArray[np.float32]:
    return np.asarray(expit(np.asarray(logits, dtype=np.float64) / temperature), dtype=np.float32)


def _fitted(points: dict[str, float | None], wanted: float, name: str) -> float:
    if str(wanted) not in points:
        raise UsageError(f"{name} {wanted}: the gate was calibrated for {', '.join(points)}; choose one of these")
    threshold = points[str(wanted)]
    if threshold is None:
        raise UsageError(f"{name} {wanted}: no threshold reached it on the validation split; choose a lower one")
    return threshold
