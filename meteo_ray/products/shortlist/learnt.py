"""What training charts taught of each product: the words that are written on it, and its look.

Both are one choice among the products that training showed, a multinomial logistic regression each. The voters of gate
and elements answer yes or no, question by question: their log-odds of dozens of products would have to be made to
compete, and yes is rare in all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from meteo_ray.voters.ngrams import NgramCounts
from meteo_ray.voters.text_voter import Page

Floats = NDArray[np.float32]

# Inverse strength of the ridge, as that of the elements' words (voters.text_voter).
WORDS_STRENGTH = 10.0
# Of standardised descriptors, of which there are more than charts of most offices.
LOOKS_STRENGTH = 0.01

# A product that fewer charts show is not learnt; its terms say nothing.
LEAST_CHARTS = 2


@dataclass(frozen=True)
class Choice:
    """A multinomial logistic regression on `features` columns among `products`, ids in the order of its rows.

    `coefficients` float32 `(products, features)`, `intercepts` `(products,)`.
    """

    products: tuple[str, ...]
    coefficients: Floats
    intercepts: Floats

    @classmethod
    def fit(cls, features: np.ndarray | sparse.csr_matrix, products: Sequence[str], strength: float) -> Self:
        """Fit on features `(rows, features)` and each row's product; nothing is learnt of one product alone."""
        names, counts = np.unique(np.asarray(products, dtype=object).astype(str), return_counts=True)
        known = names[counts >= LEAST_CHARTS]
        if len(known) < 2:
            return cls((), np.zeros((0, features.shape[1]), np.float32), np.zeros(0, np.float32))
        rows = np.flatnonzero(np.isin(products, known))
        model = LogisticRegression(C=strength, max_iter=1000).fit(features[rows], np.asarray(products)[rows])
        coefficients, intercepts = model.coef_, model.intercept_
        if len(known) == 2:  # scikit-learn keeps the log-odds of the second one
            coefficients, intercepts = (
                np.vstack([-coefficients, coefficients]) / 2,
                np.append(-intercepts, intercepts) / 2,
            )
        return cls(tuple(model.classes_.tolist()), coefficients.astype(np.float32), intercepts.astype(np.float32))

    def utilities(self, features: np.ndarray | sparse.csr_matrix) -> Floats:
        """Log-probabilities but for a constant, float32 `(rows, products)`."""
        return np.asarray(features @ self.coefficients.T + self.intercepts, dtype=np.float32)


@dataclass(frozen=True)
class Words:
    """Hashed n-grams of title and text; `rarity` as `NgramCounts.rarity`."""

    rarity: Floats
    choice: Choice

    @classmethod
    def fit(cls, pages: Sequence[Page], products: Sequence[str]) -> Self:
        counts = NgramCounts.of(pages)
        rarity = counts.rarity()
        return cls(rarity, Choice.fit(counts.features(rarity), products, WORDS_STRENGTH))

    def utilities(self, pages: Sequence[Page | None]) -> Floats:
        """`(rows, products learnt)`, NaN where nothing is written or it was not read."""
        found = np.full((len(pages), len(self.choice.products)), np.nan, np.float32)
        read = np.flatnonzero([page is not None and bool(page.text) for page in pages])
        if len(read):
            counts = NgramCounts.of([pages[row] or Page("", "") for row in read])
            found[read] = self.choice.utilities(counts.features(self.rarity))
        return found


@dataclass(frozen=True)
class Looks:
    """Image descriptors, standardised by `mean` and `scale`, each `(FEATURES,)`."""

    mean: Floats
    scale: Floats
    choice: Choice

    @classmethod
    def fit(cls, descriptors: np.ndarray, products: Sequence[str]) -> Self:
        mean, scale = descriptors.mean(axis=0), np.maximum(descriptors.std(axis=0), 1e-3)
        return cls(mean, scale, Choice.fit((descriptors - mean) / scale, products, LOOKS_STRENGTH))

    def utilities(self, descriptors: np.ndarray) -> Floats:
        """`(rows, products learnt)`, NaN where a row has none."""
        return self.choice.utilities((descriptors - self.mean) / self.scale)


def learnt_term(
    utilities: Floats, learnt: Sequence[str], product_ids: Sequence[str], without: np.ndarray | None = None
) -> Floats:
    """How much likelier than an even guess each product is, in log-probability: float32 `(rows, products)`.

    0 for products that training did not show, and in rows of NaN. `without` names a product of each row (its number,
    -1 for none) that is left out as if it had never been learnt.
    """
    found = np.zeros((len(utilities), len(product_ids)), dtype=np.float32)
    places = [column for column, name in enumerate(learnt) if name in product_ids]
    targets = np.array([product_ids.index(learnt[column]) for column in places], dtype=np.int64)
    rows = np.flatnonzero(np.isfinite(utilities).all(axis=1))
    if not places or not len(rows):
        return found
    kept = utilities[rows][:, places].astype(np.float64)
    if without is not None:
        kept[without[rows, None] == targets] = -np.inf
    others = np.isfinite(kept).sum(axis=1, keepdims=True)
    values = log_softmax(kept, axis=1) + np.log(np.maximum(others, 1))
    found[np.ix_(rows, targets)] = np.where(np.isfinite(values), values, 0.0)
    return found
