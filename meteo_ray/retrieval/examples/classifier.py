"""The nearest example's product, with the probability that it is right.

What an answer is believed by is how near the nearest example is, and how much farther the next product. How much that
means is learnt from charts whose answer is known:

- every example asks the others, which tells what a right answer looks like (where its product has another example);
- every example asks those of other products alone: whatever answers is wrong, for it is then a chart of none;
- so it is for background charts: the user's charts of none of the products, and charts of other products that the
  model's bundle keeps.

How many of the charts to come are of none is for the user to tell; the answers count accordingly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression

from meteo_ray.errors import UsageError

Features = NDArray[np.float32]
"""`(rows, features)` of length 1."""

# Evidence of an answer: the logarithm of the cosine distance to the nearest example, and of how many times as far the
# next product is (the ratio test of Lowe 2004, section 7.1).
EVIDENCE = 2

# Two pictures of one chart differ by about this, if only in their compression; added to every distance.
LEAST_DISTANCE = 1e-4

# Where nobody knows better, as many charts are of none of the products as of all of them.
NONE_SHARE = 0.5

# How sharply the likelihood of the other products falls with their distance; only their order in a list hangs on it.
TEMPERATURE = 0.05


@dataclass(frozen=True)
class Ranked:
    """Products by their nearest example: `order` int `(rows, products)`, `similarity` of each, and the probability that
    the first is right, `(rows,)`."""

    order: NDArray[np.int64]
    similarity: NDArray[np.float64]
    right: NDArray[np.float64]


@dataclass(frozen=True)
class ExamplesClassifier:
    """Examples and what makes a probability of their nearness.

    Args:
        features: of the examples.
        products: of each example.
        names: the products, in order.
        weights, bias: of the evidence, for the log-odds of a right answer.
    """

    features: Features
    products: tuple[str, ...]
    names: tuple[str, ...]
    weights: tuple[float, ...]
    bias: float

    @classmethod
    def fit(
        cls,
        features: Features,
        products: Sequence[str],
        background: Features,
        others: Sequence[str],
        none_share: float = NONE_SHARE,
    ) -> Self:
        """Fit on the examples and on background charts.

        Args:
            features, products: of the examples.
            background: of charts that are of none of these products.
            others: what each of them is, "" where that is not known; they stand in where no product has two examples.
            none_share: of the charts to come that are of none of the products.

        Raises:
            UsageError: when there is nothing to learn from what a right answer, or a wrong one, looks like.
        """
        names = tuple(dict.fromkeys(products))
        labels = np.array([names.index(product) for product in products])
        right, wrong, none = _known(features, labels)
        if len(background):
            none = np.concatenate([none, evidence(nearest(background, features, labels, len(names)))])
        if not len(right):
            right = _right_among_others(background, others)
            right[:, 1] *= len(names) > 1
        if not len(right) or not len(none):
            raise UsageError(
                "--examples: too few examples to tell a product from none: give two charts of a product, and two "
                "products or a sub-folder none"
            )
        return cls(features, tuple(products), names, *_fitted(right, wrong, none, none_share))

    def __call__(self, features: Features) -> Ranked:
        labels = np.array([self.names.index(product) for product in self.products])
        similarity = nearest(features, self.features, labels, len(self.names)).astype(np.float64)
        odds = evidence(similarity) @ np.array(self.weights) + self.bias
        return Ranked(np.argsort(-similarity, axis=1, kind="stable"), similarity, expit(odds))

    def shares(self, ranked: Ranked) -> NDArray[np.float64]:
        """Scores of all products, `(rows, products)`: the first has its probability, the others share what is left by
        their distance."""
        scores = softmax(ranked.similarity / TEMPERATURE, axis=1)
        rows, first = np.arange(len(scores)), ranked.order[:, 0]
        scores[rows, first] = 0
        left = scores.sum(axis=1, keepdims=True)
        scores = scores / np.where(left > 0, left, 1) * (1 - ranked.right[:, None])
        scores[rows, first] = ranked.right
        return scores


def nearest(features: Features, examples: Features, labels: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    """Cosine to the nearest example of each product, `(rows, count)`; -1 for a product without one."""
    cosines = features @ examples.T
    found = np.full((len(features), count), -1.0, dtype=np.float32)
    for label in range(count):
        own = labels == label
        if own.any():
            found[:, label] = cosines[:, own].max(axis=1)
    return found


def evidence(similarity: NDArray[np.floating]) -> NDArray[np.float64]:
    """Of the first answers, `(rows, EVIDENCE)`. A single product leads nobody: 0."""
    distances = np.log(np.sort(1 - similarity.astype(np.float64), axis=1).clip(0) + LEAST_DISTANCE)
    second = distances[:, 1 if distances.shape[1] > 1 else 0]
    return np.stack([distances[:, 0], second - distances[:, 0]], axis=1)


def _known(features: Features, labels: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
    """Evidence of right answers, of wrong ones, and of answers to charts of none, among charts whose products are
    known: each asks the others, and those of other products."""
    count = int(labels.max()) + 1 if len(labels) else 0
    right, wrong, none = ([np.zeros((0, EVIDENCE))] for _ in range(3))
    for row, label in enumerate(labels):
        others, foreign = np.arange(len(labels)) != row, labels != label
        if (others & ~foreign).any():
            found = nearest(features[row : row + 1], features[others], labels[others], count)
            (right if found[0].argmax() == label else wrong).append(evidence(found))
        if foreign.any():
            found = nearest(features[row : row + 1], features[foreign], labels[foreign], count)
            none.append(evidence(found))
    return np.concatenate(right), np.concatenate(wrong), np.concatenate(none)


def _right_among_others(background: Features, others: Sequence[str]) -> NDArray[np.float64]:
    """What right answers look like among background charts that are known to be of some product."""
    known = [row for row, name in enumerate(others) if name]
    names = sorted({others[row] for row in known})
    labels = np.array([names.index(others[row]) for row in known], dtype=np.int64)
    return _known(background[known], labels)[0]


def _fitted(
    right: NDArray[np.float64], wrong: NDArray[np.float64], none: NDArray[np.float64], none_share: float
) -> tuple[tuple[float, ...], float]:
    """Weights and bias of a logistic regression in which charts of none have their share."""
    rows = np.concatenate([right, wrong, none])
    of_products = len(right) + len(wrong)
    counts = np.full(len(rows), len(rows) * (1 - none_share) / of_products)
    counts[of_products:] = len(rows) * none_share / len(none)
    middle, spread = rows.mean(axis=0), rows.std(axis=0)
    scaled = (rows - middle) / np.where(spread > 0, spread, 1)
    model = LogisticRegression().fit(scaled, np.arange(len(rows)) < len(right), sample_weight=counts)
    weights = model.coef_[0] / np.where(spread > 0, spread, 1)
    return tuple(weights.tolist()), float(model.intercept_[0] - weights @ middle)
