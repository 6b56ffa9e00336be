"""Bundles of gate and elements that know little and cost what real ones cost: real networks with random weights, trees
fitted to the drawn images.

What a forward pass, a descriptor and a beam take does not depend on what was learnt; the share of images that the gate
lets through does, and its trees know the drawn images. Models of one's own are measured with `--models`.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.speed.images import Base
from meteo_ray import bundle
from meteo_ray.calibration.votes import Scale, VoteScales
from meteo_ray.elements import task as elements
from meteo_ray.elements.bundle import write_bundle as write_elements
from meteo_ray.elements.calibration import ElementsCalibration, LabelCalibration
from meteo_ray.elements.config import ElementsTraining
from meteo_ray.elements.model import ElementsDimensions, ElementsModel
from meteo_ray.elements.verdict import ElementsVerdict
from meteo_ray.gate import task as gate
from meteo_ray.gate.bundle import write_bundle as write_gate
from meteo_ray.gate.calibration import NETWORK, GateCalibration
from meteo_ray.gate.config import GateTraining
from meteo_ray.gate.model import GateModel
from meteo_ray.gate.verdict import GateVerdict
from meteo_ray.imaging.fit import fit
from meteo_ray.vocabulary import load_vocabulary
from meteo_ray.voters.boosted_trees import Trees
from meteo_ray.voters.descriptors import describe_all
from meteo_ray.voters.voters import Voters

SEED = 0
# The network hardly speaks: what it says with random weights would turn charts away at random.
NETWORK_SLOPE = 0.01

VOCABULARY = load_vocabulary()


def write_models(models: Path, bases: Sequence[Base], input_size: tuple[int, int]) -> Path:
    """MODELS/{gate,elements}: a ResNet-18, a ResNet-50 with its decoder, and trees beside both."""
    torch.manual_seed(SEED)
    descriptors = describe_all(np.stack([fit(base.picture) for base in bases]))
    charts = np.array([base.is_meteo for base in bases])
    with bundle.writing(models / "gate") as folder:
        _write_gate(folder, descriptors, charts, input_size)
    with bundle.writing(models / "elements") as folder:
        shown = np.stack([base.elements for base in bases])[charts]
        _write_elements(folder, descriptors[charts], shown, input_size)
    return models


def _write_gate(folder: Path, descriptors: np.ndarray, charts: np.ndarray, input_size: tuple[int, int]) -> None:
    trees = Trees.fit(descriptors, charts[:, None], np.ones(len(charts)), SEED, gate.TREE_ROUNDS)
    calibration = GateCalibration(VoteScales({NETWORK: _scale(1, NETWORK_SLOPE), Trees.VOTE: _scale(1)}), 1.0, 0.5)
    config = GateTraining(init="none", input_size=input_size)
    write_gate(folder, GateModel("none", input_size), config, GateVerdict(VOCABULARY, calibration), Voters(trees))


def _write_elements(folder: Path, descriptors: np.ndarray, shown: np.ndarray, input_size: tuple[int, int]) -> None:
    labels = shown.shape[1]
    trees = Trees.fit(descriptors, shown, np.ones(len(shown)), SEED, elements.TREE_ROUNDS)
    each = LabelCalibration(1.0, 0.0, 0.5, 5, False)
    scales = VoteScales({"parallel": _scale(labels, NETWORK_SLOPE), Trees.VOTE: _scale(labels)})
    verdict = ElementsVerdict(VOCABULARY, ElementsCalibration(scales, (each,) * labels))
    config = ElementsTraining(init="none", input_size=input_size)
    model = ElementsModel(ElementsDimensions.of(config, labels))
    write_elements(folder, model, config, shown.sum(axis=0), verdict, Voters(trees))


def _scale(questions: int, slope: float = 1.0) -> Scale:
    return Scale((slope,) * questions, (0.0,) * questions)
