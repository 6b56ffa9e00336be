"""How well products are told from a few examples each."""

from typing import Any

import numpy as np

from meteo_ray.retrieval.bundle import unit
from meteo_ray.retrieval.examples.classifier import ExamplesClassifier

# The answer is none where it is more likely wrong than right, as in examples/predictor.py.
LEAST = 0.5


def few_examples(
    features: np.ndarray,
    products: np.ndarray,
    shown: np.ndarray,
    named: np.ndarray,
    left_out: np.ndarray,
    each: int,
    seed: int,
) -> dict[str, Any]:
    """`each` training charts of every product answer for the test charts.

    Args:
        features, products: of the test charts, `(rows, features)` and `(rows,)`.
        shown, named: the same of the charts from which examples are drawn.
        left_out: products `(products,)` whose examples are not given once more: their charts are then of none.

    Returns:
        top1 of the nearest example and of the products' mean, over all test charts and over those left out
        (`_left_out`), with examples of every product; and without those of the left-out ones `right_or_none`: how often
        the answer was the product, or none where there was no example. The classifier is not told how many are of none.
    """
    features, shown = unit(features), unit(shown)
    drawn = _drawn(named, np.unique(products), each, seed)
    unseen = np.isin(products, left_out)
    cosines = features @ shown[drawn].T
    nearest = named[drawn][cosines.argmax(axis=1)] == products
    names = np.unique(named[drawn])
    means = unit(np.stack([shown[drawn][named[drawn] == name].mean(axis=0) for name in names]))
    by_mean = names[(features @ means.T).argmax(axis=1)] == products
    kept = drawn[~np.isin(named[drawn], left_out)]
    nothing = np.zeros((0, shown.shape[1]), np.float32)
    classifier = ExamplesClassifier.fit(shown[kept], named[kept].tolist(), nothing, [])
    ranked = classifier(features)
    first = np.array(classifier.names, dtype=object)[ranked.order[:, 0]]
    answer = np.where(ranked.right >= LEAST, first, None)
    right = np.where(unseen, answer == None, answer == products)  # noqa: E711  # elementwise
    found = {"top1": nearest, "mean_top1": by_mean}
    return {
        **{name: float(hits.mean()) for name, hits in found.items()},
        **{f"{name}_left_out": float(hits[unseen].mean()) for name, hits in found.items()},
        "right_or_none": float(right.mean()),
        "none_of_left_out": float(right[unseen].mean()),
    }


def _drawn(named: np.ndarray, products: np.ndarray, each: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.permutation(np.flatnonzero(named == product))[:each] for product in products])
