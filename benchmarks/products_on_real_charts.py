"""python benchmarks/products_on_real_charts.py --labels DIR/labels.jsonl --images DIR --texts FILE --out DIR

How well does the shortlist, which asks no language model, name the product of charts whose sources it has not seen? The
sources are dealt into folds; for each, words and looks are learnt on the other folds' charts, coefficients fitted on a
seventh of their sources, and the charts of the fold are ranked. `--images` is the folder in which the rows' paths
begin; `--texts` is the texts.parquet that jobs/read_text.py made of them. The products' names stand in
products_of_real_charts.yaml, another file with a list `products` can be given with --products; the vocabulary that
results is written to OUT/labels.yaml, the measures to OUT/products.json.

With --elements-models, the OUT of elements_on_real_charts.py, each fold's sources and element scores are that
benchmark's. Without it two stand-ins take the elements' place: the names of elements in the text, which any user has,
and the true labels with independent noise on their log-odds, which nobody has.

Prints, by fold and pooled: top-1, top-5, the share of charts whose product is among 10 candidates, and ECE of the best
product; each part alone beside them. Last, a third of the kinds at a time is left out of vocabulary and training: how
often is "none of these" said of their charts (probability over a half), how often of the others, and how well does its
probability tell the two apart (AUC).
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml
from leave_sources_out import Row, folds, markdown
from leave_sources_out import labels as rows_of_folder
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from meteo_ray.calibration.conditional_logit import ConditionalLogit
from meteo_ray.elements.predictor import ElementsPredictor
from meteo_ray.files import sha256_of, write_atomically, write_json
from meteo_ray.imaging.load import load_image
from meteo_ray.metrics.calibration_error import expected_calibration_error
from meteo_ray.metrics.multilabel import average_precision
from meteo_ray.products.config import CANDIDATES
from meteo_ray.products.shortlist import Evidence, Shortlist
from meteo_ray.products.shortlist.formula import PRODUCTS
from meteo_ray.products.shortlist.terms import ELEMENT_TERMS
from meteo_ray.vocabulary import Product, Vocabulary, load_vocabulary
from meteo_ray.voters.descriptors import describe
from meteo_ray.voters.keywords import keywords
from meteo_ray.voters.text_voter import Page

NAMES = Path(__file__).with_name("products_of_real_charts.yaml")
COLUMNS = ("charts", "top1", "top5", "among10", "ece")
KIND_GROUPS = 3

# Log-odds that a detector of elements may give what is shown and what is not, and how much they vary; the mean average
# precision over the elements of at least LEAST_CHARTS charts is printed beside.
SHOWN, ABSENT, NOISE = 1.0, -3.0, 1.5
LEAST_CHARTS = 10

Scores = Callable[[int], np.ndarray | None]
"""A fold's number -> element scores of every chart, NaN where its element model has learnt from the chart."""


@dataclass(frozen=True)
class Charts:
    """The charts whose product is known, and what is known of them besides elements."""

    rows: list[Row]
    pages: list[Page | None]
    descriptors: np.ndarray
    vocabulary: Vocabulary

    @property
    def names(self) -> np.ndarray:
        return np.array([row["product"] for row in self.rows], dtype=object)

    def evidence(self, rows: np.ndarray, scores: np.ndarray | None) -> Evidence:
        pages = [self.pages[row] for row in rows]
        return Evidence(None if scores is None else scores[rows], pages, self.descriptors[rows])


def main() -> int:
    options = parse_options()
    options.out.mkdir(parents=True, exist_ok=True)
    charts = read_charts(options)
    splits = list(fold_splits(charts, options))
    document: dict[str, Any] = {}
    for title, scores in element_scores(charts, options).items():
        found = [judged(charts, split, scores(number)) for number, split in enumerate(splits)]
        print(
            f"\n## {title}\n\n"
            + markdown([measured(charts, part, "shortlist") for part in found], COLUMNS, COLUMNS[:1])
        )
        pooled = {name: joined(charts, found, name) for name in found[0]["scores"]}
        print("\n| pooled | " + " | ".join(COLUMNS) + " |\n|---|" + "---:|" * len(COLUMNS))
        for name, row in pooled.items():
            print(f"| {name} | {row['charts']} | " + " | ".join(f"{row[column]:.3f}" for column in COLUMNS[1:]) + " |")
        unknown = none_measured(charts, splits, scores, options.seed)
        print(f"\nnone of these: {unknown}", flush=True)
        document[title] = {"pooled": pooled, "none": unknown}
    write_json(options.out / "products.json", document)
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("labels", "images", "texts", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--products", type=Path, default=NAMES)
    parser.add_argument("--elements-models", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def read_charts(options: argparse.Namespace) -> Charts:
    products = yaml.safe_load(options.products.read_text("utf-8"))["products"]
    vocabulary = Vocabulary(load_vocabulary().elements, tuple(Product(**entry) for entry in products))
    write_atomically(options.out / "labels.yaml", vocabulary.to_yaml())
    vocabulary = load_vocabulary(options.out / "labels.yaml")  # which refuses a name that means two
    rows = [row for row in rows_of_folder(options.labels.parent) if row.get("product")]
    texts = {row["sha256"]: Page.of(row["title"], row["text"]) for row in pq.read_table(options.texts).to_pylist()}
    files = [options.images / row["path"] for row in rows]
    pages = [texts.get(sha256_of(file)) for file in files]
    print(f"{len(rows)} charts, the text of {sum(page is not None for page in pages)} was read")
    return Charts(rows, pages, np.array([describe(load_image(file).pixels) for file in files]), vocabulary)


def fold_splits(charts: Charts, options: argparse.Namespace) -> Iterator[np.ndarray]:
    """Of each fold: train, validation or test of every chart; those of the element models where there are such."""
    if options.elements_models is None:
        for rows in folds(charts.rows, lambda row: row["product"], options.folds, options.seed):
            yield np.array([row["split"] for row in rows])
        return
    for number in range(options.folds):
        known = rows_of_folder(options.elements_models / f"fold_{number}" / "data")
        by_source = {row["source"]: row["split"] for row in known}
        yield np.array([by_source.get(row["source"], "train") for row in charts.rows])


def element_scores(charts: Charts, options: argparse.Namespace) -> dict[str, Scores]:
    if options.elements_models is not None:
        folder: Path = options.elements_models
        return {"scores of stage 2": lambda number: predicted(charts, folder / f"fold_{number}", options.images)}
    truth = np.array([charts.vocabulary.multi_hot(row["labels"] or ()) for row in charts.rows])
    noise = np.random.default_rng(options.seed).normal(0, NOISE, truth.shape)
    perturbed = expit(np.where(truth > 0, SHOWN, ABSENT) + noise)
    perturbed[[row["labels"] is None for row in charts.rows]] = np.nan
    measured_on = np.flatnonzero(truth.sum(axis=0) >= LEAST_CHARTS)
    known = np.isfinite(perturbed[:, 0])
    precision = [average_precision(truth[known, label] > 0, perturbed[known, label]) or 0.0 for label in measured_on]
    named = keywords([page or Page("", "") for page in charts.pages], charts.vocabulary).scores
    return {
        "no elements": lambda number: None,
        "elements named in the text (stand-in)": lambda number: expit(1.5 * named - 3),  # a title's name: even
        f"true elements with noise, mAP {np.mean(precision):.2f} (stand-in)": lambda number: perturbed,
    }


def predicted(charts: Charts, folder: Path, images: Path) -> np.ndarray:
    """Scores of the fold's validation and test charts; the model has learnt from the others."""
    learnt = {row["path"] for row in rows_of_folder(folder / "data") if row["split"] == "train"}
    predictor = ElementsPredictor.load(folder / "models" / "elements", "cpu", charts.vocabulary, precision="fp32")
    found = np.full((len(charts.rows), len(charts.vocabulary.elements)), np.nan)
    for number, (row, page) in enumerate(zip(charts.rows, charts.pages, strict=True)):
        if row["path"] not in learnt:
            pixels = load_image(images / row["path"]).pixels[None]
            columns = {name: np.array([getattr(page, name, None)], dtype=object) for name in ("title", "text")}
            scores = predictor({"image": pixels, **columns})["element_scores"][0]
            found[number, : len(scores)] = scores
    return found


def judged(charts: Charts, split: np.ndarray, scores: np.ndarray | None) -> dict[str, Any]:
    """What shortlist and baselines say of the fold's test charts, `(charts, products)` by name."""
    shortlist, test = fitted(charts, split, scores, charts.vocabulary), np.flatnonzero(split == "test")
    evidence = charts.evidence(test, scores)
    terms = shortlist.terms(evidence)
    ids, trained = charts.vocabulary.product_ids, charts.names[split == "train"]
    often = np.array([float((trained == name).sum()) for name in ids])

    def alone(*names: str) -> np.ndarray:
        return softmax(ConditionalLogit({name: PRODUCTS[name] for name in names}).utilities(terms))

    found = {
        "shortlist": shortlist.scores(*evidence)[:, :-1],
        "untrained": Shortlist.untrained(charts.vocabulary).scores(*evidence)[:, :-1],
        "title alone": alone("title_named", "title_alike", "title_words"),
        "elements alone": alone(*ELEMENT_TERMS),
        "words alone": softmax(terms["words"]),
        "looks alone": softmax(terms["looks"]),
        "majority": np.tile(often / often.sum(), (len(test), 1)),
    }
    return {"test": test, "scores": found}


def fitted(charts: Charts, split: np.ndarray, scores: np.ndarray | None, vocabulary: Vocabulary) -> Shortlist:
    parts = []
    for name in ("train", "validation"):
        rows = np.flatnonzero((split == name) & np.isin(charts.names, vocabulary.product_ids))
        parts += [charts.evidence(rows, scores), list(charts.names[rows])]
    return Shortlist.fit(vocabulary, *parts)


def softmax(utilities: np.ndarray) -> np.ndarray:
    shares = np.exp(utilities - utilities.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def measured(charts: Charts, part: dict[str, Any], name: str) -> dict[str, float]:
    return measures(charts, charts.names[part["test"]], part["scores"][name])


def joined(charts: Charts, parts: Sequence[dict[str, Any]], name: str) -> dict[str, float]:
    names = np.concatenate([charts.names[part["test"]] for part in parts])
    return measures(charts, names, np.concatenate([part["scores"][name] for part in parts]))


def measures(charts: Charts, names: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Ties are broken by the vocabulary's order, as `Shortlist.candidates` breaks them."""
    ids = charts.vocabulary.product_ids
    truth = np.array([ids.index(name) for name in names])
    ranked = np.argsort(-scores, axis=1, kind="stable")
    place = (ranked == truth[:, None]).argmax(axis=1)
    sure = scores.max(axis=1) / np.maximum(scores.sum(axis=1), 1e-12)
    within = {
        f"{name}": float(np.mean(place < most)) for name, most in zip(COLUMNS[1:4], (1, 5, CANDIDATES), strict=True)
    }
    ece = expected_calibration_error(place == 0, np.clip(sure, 0, 1))
    return {"charts": len(truth), **within, "ece": ece}


def none_measured(charts: Charts, splits: Sequence[np.ndarray], scores: Scores, seed: int) -> dict[str, float]:
    """A third of the kinds at a time is left out of vocabulary and training."""
    ids = np.array(charts.vocabulary.product_ids)
    groups = np.random.default_rng(seed).permutation(len(ids)) % KIND_GROUPS
    foreign, none = [], []
    for number, split in enumerate(splits):
        given = scores(number)
        for group in range(KIND_GROUPS):
            kept = tuple(p for p, part in zip(charts.vocabulary.products, groups, strict=True) if part != group)
            shortlist = fitted(charts, split, given, Vocabulary(charts.vocabulary.elements, kept))
            test = np.flatnonzero(split == "test")
            none.append(shortlist.scores(*charts.evidence(test, given))[:, -1])
            foreign.append(np.isin(charts.names[test], ids[groups == group]))
    unknown, probability = np.concatenate(foreign), np.concatenate(none)
    return {
        "said of kinds left out": round(float(np.mean(probability[unknown] > 0.5)), 3),
        "said of known kinds": round(float(np.mean(probability[~unknown] > 0.5)), 3),
        "mean probability, left out": round(float(probability[unknown].mean()), 3),
        "mean probability, known": round(float(probability[~unknown].mean()), 3),
        "auc": round(float(roc_auc_score(unknown, probability)), 3),
    }


if __name__ == "__main__":
    sys.exit(main())
