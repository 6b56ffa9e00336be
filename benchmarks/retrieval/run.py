"""python -m benchmarks.retrieval.run --data DIR --trunk MODELS/elements --out DIR [--relevance elements] [--seeds 1]

How well are similar charts found, by which method and at how many bits? On a prepared data folder, with the trunk of an
element model, frozen: its feature maps are made once, so that every training of the retrieval branches takes a minute
on a CPU instead of hours; with about a thousand charts the whole takes half an hour on two cores. That is a reduced
recipe: no weight of the trunk moves, a chart has one of two augmented looks in an epoch, and --epochs (15) is half of
the paper's.

Prints and keeps (OUT/results.json, OUT/results.md) the expected mAP, ties in any order, of test charts that no training
has seen, each asking all others: LGESD (pairwise), the pointwise rival, PCA + ITQ and random hyperplanes on the trunk's
features, float features as the ceiling; the papers' protocol beside it; ablations; and everything once more for
products that were left out of training (of the branches: the trunk has seen their elements). With products as relevance
also how well five examples each tell them. The same command goes on where it stopped; measures that were taken with
other settings are not mixed with these.
"""

import argparse
import logging
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.kept_results import Results
from benchmarks.retrieval.baselines import itq, lsh
from benchmarks.retrieval.few_examples import few_examples
from benchmarks.retrieval.frozen_trunk import FeatureMaps, Trained, feature_maps, train
from benchmarks.retrieval.scores import among_themselves, of_codes, of_features, protocols
from meteo_ray.backbones import init_digest
from meteo_ray.retrieval.config import RetrievalTraining
from meteo_ray.retrieval.relevance import COLUMN, classes_of, labelled
from meteo_ray.schema import TEST, TRAIN
from meteo_ray.streaming.index import read_index
from meteo_ray.vocabulary import Vocabulary, choose_vocabulary

BITS = (12, 24, 32, 48)
ABLATIONS: dict[str, dict[str, Any]] = {
    "whole": {},
    "without local branches": {"local_branches": 0},
    "without decay": {"decay": 1.0},
    "without the convolution": {"convolution": False},
    "unlike pairs opposite": {"dissimilar": "opposite"},
}
LEFT_OUT = 9  # of the demo's 43 products about a fifth
EXAMPLES = 5


@dataclass(frozen=True)
class Setting:
    """What all methods are given."""

    index: pa.Table
    vocabulary: Vocabulary
    maps: FeatureMaps
    base: RetrievalTraining
    seed: int

    def rows(self, split: str) -> pa.Table:
        return labelled(self.index, split, self.base.relevance)

    def ids(self, split: str) -> list[str]:
        found: list[str] = self.rows(split)["image_id"].to_pylist()
        return found

    def classes(self, split: str) -> np.ndarray:
        column = self.rows(split)[COLUMN[self.base.relevance]]
        return classes_of(column.to_pylist(), self.base.relevance, self.vocabulary)

    def products(self, split: str) -> np.ndarray:
        return np.array([name or "" for name in self.rows(split)["product"].to_pylist()], dtype=object)

    def trained(self, without: np.ndarray | None = None, **changes: Any) -> Trained:
        """The branches trained with changed settings, without the training and validation charts of some products."""
        index = self.index
        if without is not None:
            kept = pc.invert(pc.fill_null(pc.is_in(index["product"], pa.array(without.tolist(), pa.string())), False))
            index = index.filter(pc.or_(kept, pc.equal(index["split"], TEST)))
        config = self.base.model_copy(update=changes)
        with tempfile.TemporaryDirectory() as folder:
            return train(config, self.maps, index, self.vocabulary, Path(folder), self.seed)


def main() -> int:
    options = _options()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    settings = {name: value for name, value in vars(options).items() if name not in ("out", "seeds")}
    weights = {"weights": init_digest(options.backbone, str(options.trunk))}
    results = Results(options.out / "results.json", settings | weights)
    for seed in range(options.seeds):
        setting = _setting(options, seed)
        for key, measure in _measures(setting).items():
            results.get(f"seed {seed}: {key}", measure)
    (options.out / "results.md").write_text(markdown(results.measures), "utf-8")
    return 0


def markdown(measures: dict[str, dict[str, float | None]]) -> str:
    """Every value of every measure as a row of a table."""
    lines = ["| what | measure | value |", "|---|---|---:|"]
    for key, values in measures.items():
        lines += [f"| {key} | {name} | {_shown(value)} |" for name, value in values.items()]
    return "\n".join(lines) + "\n"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _measures(setting: Setting) -> dict[str, Callable[[], dict[str, Any]]]:
    """Every measure by its name, in the order in which they are worth waiting for."""
    left_out = _left_out(setting)
    found: dict[str, Callable[[], dict[str, Any]]] = {"trunk, float": lambda: _float_trunk(setting, left_out)}
    for bits in reversed(BITS):
        for loss in ("pairwise", "pointwise"):
            found[f"{loss}, {bits} bits"] = lambda loss=loss, bits=bits: _learnt(setting, loss=loss, bits=bits)
        found[f"baselines, {bits} bits"] = lambda bits=bits: _baselines(setting, bits, left_out)
    for loss in ("pairwise", "pointwise"):
        if len(left_out):
            key = f"{loss}, 48 bits, {len(left_out)} products left out"
            found[key] = lambda loss=loss: _without(setting, loss, left_out)
    for name, changes in ABLATIONS.items():
        found[f"ablation, 48 bits: {name}"] = lambda changes=changes: _learnt(setting, bits=48, **changes)
    return found


def _left_out(setting: Setting) -> np.ndarray:
    if setting.base.relevance != "products":
        return np.array([], dtype=object)
    known = np.unique(setting.products(TEST).astype(str))
    return np.sort(np.random.default_rng(setting.seed).permutation(known)[:LEFT_OUT]).astype(object)


def _learnt(setting: Setting, **changes: Any) -> dict[str, Any]:
    trained = setting.trained(**changes)
    test, known = (trained.encode(setting.ids(split)) for split in (TEST, TRAIN))
    database = trained.model.database
    solved = None if database is None else database.numpy().astype(np.float32)
    classes = setting.classes(TEST)
    return {
        **protocols(test, classes, known, setting.classes(TRAIN), solved),
        "float outputs": among_themselves(of_features(test), classes),
    }


def _without(setting: Setting, loss: str, left_out: np.ndarray) -> dict[str, Any]:
    """Trained without some products: their test charts ask all test charts, and a few examples of them are given, which
    the outputs compare here; the trunk's features, which the examples of an archive go by, are not trained at all."""
    trained = setting.trained(left_out, loss=loss, bits=48)
    test, known = (trained.encode(setting.ids(split)) for split in (TEST, TRAIN))
    classes, products = setting.classes(TEST), setting.products(TEST)
    asked = np.isin(products, left_out)
    few = few_examples(test, products, known, setting.products(TRAIN), left_out, EXAMPLES, setting.seed)
    return {
        "seen products": among_themselves(of_codes(test), classes, ~asked),
        "left-out products": among_themselves(of_codes(test), classes, asked),
        "left-out products, float outputs": among_themselves(of_features(test), classes, asked),
        **{f"{EXAMPLES} examples by outputs: {name}": value for name, value in few.items()},
    }


def _float_trunk(setting: Setting, left_out: np.ndarray) -> dict[str, Any]:
    features, classes = setting.maps.means(setting.ids(TEST)), setting.classes(TEST)
    found: dict[str, Any] = {"unseen": among_themselves(of_features(features), classes)}
    if len(left_out):
        products, known = setting.products(TEST), setting.maps.means(setting.ids(TRAIN))
        asked = np.isin(products, left_out)
        found["left-out products"] = among_themselves(of_features(features), classes, asked)
        few = few_examples(features, products, known, setting.products(TRAIN), left_out, EXAMPLES, setting.seed)
        found |= {f"{EXAMPLES} examples: {name}": value for name, value in few.items()}
    return found


def _baselines(setting: Setting, bits: int, left_out: np.ndarray) -> dict[str, Any]:
    train_means, test_means = (setting.maps.means(setting.ids(split)) for split in (TRAIN, TEST))
    classes = setting.classes(TEST)
    codes = {"PCA + ITQ": itq(train_means, test_means, bits), "LSH": lsh(train_means, test_means, bits, setting.seed)}
    found = {name: among_themselves(of_codes(outputs), classes) for name, outputs in codes.items()}
    if len(left_out):
        asked = np.isin(setting.products(TEST), left_out)
        found |= {f"{name}, left-out": among_themselves(of_codes(o), classes, asked) for name, o in codes.items()}
    return found


def _setting(options: argparse.Namespace, seed: int) -> Setting:
    vocabulary = choose_vocabulary(options.labels, options.data)
    base = RetrievalTraining(
        init=str(options.trunk),
        backbone=options.backbone,
        input_size=tuple(map(int, options.input_size.split(","))),
        relevance=options.relevance,
        frozen_epochs=options.epochs,
        epochs=0,
    )
    index = read_index(options.data)
    charts = index.filter(pc.fill_null(index["is_meteo"], False))
    maps = feature_maps(options.data, charts, vocabulary, base, options.out / "maps")
    return Setting(charts, vocabulary, maps, base, seed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "trunk", "out"):
        parser.add_argument(f"--{name}", type=_absolute, required=True)
    parser.add_argument("--labels", type=_absolute)
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--input-size", default="128,96", help="that of the element model")
    parser.add_argument("--relevance", choices=("products", "elements"), default="products")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=1)
    return parser.parse_args()


def _absolute(place: str) -> Path:
    return Path(place).resolve()


if __name__ == "__main__":
    sys.exit(main())
