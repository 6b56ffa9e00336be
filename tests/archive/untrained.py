"""All three bundles as training writes them, of models that know nothing yet: small, real, and made in seconds."""

from pathlib import Path
from typing import Literal

import numpy as np
import torch

from meteo_ray import bundle
from meteo_ray.calibration.votes import Scale, VoteScales
from meteo_ray.elements.bundle import read_bundle
from meteo_ray.elements.bundle import write_bundle as write_elements
from meteo_ray.elements.calibration import ElementsCalibration, LabelCalibration
from meteo_ray.elements.config import ElementsTraining
from meteo_ray.elements.int8_encoder import activation_ranges, write_ranges
from meteo_ray.elements.model import ElementsDimensions, ElementsModel
from meteo_ray.elements.verdict import ElementsVerdict
from meteo_ray.gate.bundle import write_bundle as write_gate
from meteo_ray.gate.calibration import NETWORK, GateCalibration
from meteo_ray.gate.config import GateTraining
from meteo_ray.gate.model import GateModel
from meteo_ray.gate.verdict import GateVerdict
from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.bundle import write_bundle as write_products
from meteo_ray.products.calibration import ProductsCalibration
from meteo_ray.products.config import ProductsTraining, SmallBase
from meteo_ray.products.lora_adapter import add_adapter
from meteo_ray.products.shortlist import Shortlist
from meteo_ray.products.small_base import make_small_base
from meteo_ray.products.verdict import ProductsVerdict
from meteo_ray.vocabulary import load_vocabulary
from meteo_ray.voters.boosted_trees import Trees
from meteo_ray.voters.descriptors import FEATURES
from meteo_ray.voters.voters import Voters

Adaptation = Literal["full", "lora"]

INPUT_SIZE = (80, 60)
VOCABULARY = load_vocabulary()


def write_models(
    models: Path, gate_threshold: float = 0.0, with_trees: bool = False, adaptation: Adaptation = "full"
) -> Path:
    """MODELS/{gate,elements,products}; a gate threshold of 0 lets every readable image through. The base model of a
    products adapter ("lora") lies in MODELS/base."""
    torch.manual_seed(0)
    with bundle.writing(models / "gate") as folder:
        voters = Voters(trees(1)) if with_trees else Voters()
        scales = as_it_is(NETWORK, 1, with_trees)
        calibration = GateCalibration(scales, 1.0, gate_threshold, {"0.95": gate_threshold, "0.99": None})
        model = GateModel("none", INPUT_SIZE)
        training = GateTraining(init="none", input_size=INPUT_SIZE)
        write_gate(folder, model, training, GateVerdict(VOCABULARY, calibration), voters)
    with bundle.writing(models / "elements") as folder:
        _write_elements(folder, with_trees)
    make_small_base(models / "base", VOCABULARY, SmallBase(hidden_size=32, layers=1, image_size=64))
    with bundle.writing(models / "products") as folder:
        _write_products(folder, models / "base", adaptation)
    return models


def trees(questions: int) -> Trees:
    """Trees that have learnt noise: their votes depend on many descriptors, and are right about nothing."""
    drawn = np.random.default_rng(1)
    descriptors = drawn.random((80, FEATURES), dtype=np.float32)
    return Trees.fit(descriptors, drawn.random((80, questions)) > 0.5, np.ones(80), seed=0, rounds=3)


def _write_elements(folder: Path, with_trees: bool) -> None:
    labels = len(VOCABULARY.elements)
    config = ElementsTraining(backbone="resnet18", init="none", input_size=INPUT_SIZE)
    model = ElementsModel(ElementsDimensions(labels, config.backbone, INPUT_SIZE))
    # An untrained model says about a half for every label: at a threshold of 0.5 it shows some of them.
    each = LabelCalibration(1.0, 0.0, 0.5, 5, False)
    scales = as_it_is("parallel", labels, with_trees)
    verdict = ElementsVerdict(VOCABULARY, ElementsCalibration(scales, (each,) * labels))
    voters = Voters(trees(labels)) if with_trees else Voters()
    write_elements(folder, model, config, np.arange(labels)[::-1], verdict, voters)


def observe_ranges(models: Path) -> None:
    """Prepare the elements for 8 bits, as training does, on images of noise."""
    folder = models / "elements"
    images = np.random.default_rng(0).integers(0, 256, (8, 240, 320, 3), dtype=np.uint8)
    write_ranges(folder, activation_ranges(read_bundle(folder).model, images))
    (folder / bundle.SUMS).unlink()
    bundle._write_sums(folder)


def as_it_is(voter: str, questions: int, with_trees: bool = False) -> VoteScales:
    """Voters whose scores already are log-odds: a network, and the trees if there are some."""
    names = (voter, Trees.VOTE) if with_trees else (voter,)
    return VoteScales({name: Scale((1.0,) * questions, (0.0,) * questions) for name in names})


def _write_products(folder: Path, base_folder: Path, adaptation: Adaptation) -> None:
    config = ProductsTraining(base_model=str(base_folder), adaptation=adaptation, quantize="none")
    base = GemmaBase.open(base_folder)
    model = base.load_model("none", "cpu")
    if adaptation == "lora":
        add_adapter(model, config.lora_rank, config.lora_alpha)
    calibration = ProductsCalibration(ProductsVerdict.of_language_model(), 10)
    write_products(folder, model, base, config, Shortlist.untrained(VOCABULARY), calibration)
