"""From terms to probabilities: one conditional logit among the products, a second that weighs them against "none".

The votes of gate and elements are Platt-scaled question by question and added up (calibration.votes). Products are no
such questions: a chart is one of them, few validation charts show each, and one that is appended tomorrow has none. So
the coefficients belong to the terms, not to the products, and what is fitted is the choice itself, which is calibrated
with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import log_softmax

from meteo_ray.calibration.conditional_logit import ConditionalLogit, Floats, Terms
from meteo_ray.config.parsing import Section

# What each term counts before any validation chart was seen, and what an untrained shortlist goes by: a name in the
# title more than one in the text, what is learnt less than it claims, since other sources write and draw otherwise.
PRODUCTS = {
    "title_named": 2.0,
    "title_alike": 3.0,
    "title_words": 2.0,
    "text_named": 1.0,
    "text_words": 1.0,
    "title_elements": 2.0,
    "elements_mean": 0.25,
    "elements_least": 0.25,
    "elements_explained": 2.0,
    "any": 0.0,
    "words": 0.7,
    "looks": 0.3,
}
# "none" is as likely as a product that stands out by `none`; the surer the best product, the less it takes.
NONE = {"none": 2.0, "none_best": 0.3}

# A product that may show whichever elements may be rarer, or more common, than its neighbours.
FREE = ("any", "none", "none_best")

PRODUCTS_RIDGE = 1.0
NONE_RIDGE = 0.1


class ShortlistSettings(Section):
    """How the shortlist of products is fitted."""

    none_share: float = Field(default=0.1, gt=0, lt=1)
    """The share of charts to expect that are no product of the vocabulary: how readily "none of these" is said."""


@dataclass(frozen=True)
class Formula:
    """The coefficients among the products, and those of "none of these"."""

    products: ConditionalLogit
    none: ConditionalLogit

    @classmethod
    def untrained(cls) -> Self:
        return cls(ConditionalLogit(PRODUCTS), ConditionalLogit(NONE))

    @classmethod
    def fit(cls, terms: Terms, without: Terms, chosen: NDArray[np.int64], settings: ShortlistSettings) -> Self:
        """Fit on validation charts.

        Args:
            terms: `(rows, products)` by name.
            without: the same as if the right product had never been learnt.
            chosen: the number of each row's product, `(rows,)`; -1 for one that is none of them.
        """
        known = np.flatnonzero(chosen >= 0)
        weights = np.ones(len(known))
        products = ConditionalLogit.fit(
            _rows(terms, known), chosen[known], weights, {name: PRODUCTS[name] for name in terms}, PRODUCTS_RIDGE, FREE
        )
        utilities = products.utilities(terms)
        left_out = products.utilities(without)[known]
        left_out[np.arange(len(known)), chosen[known]] = -np.inf
        every = np.concatenate([utilities, left_out])
        none = every.shape[1]
        answers = np.concatenate([np.where(chosen < 0, none, chosen), np.full(len(known), none)])
        return cls(products, _fit_none(every, answers, settings.none_share))

    def probabilities(self, terms: Terms) -> Floats:
        """Float64 `(rows, products + 1)`, "none of these" last."""
        return np.asarray(np.exp(_with_none(self.products.utilities(terms), self.none)))

    def to_json(self) -> dict[str, Any]:
        return {"products": dict(self.products.coefficients), "none": dict(self.none.coefficients)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Raises KeyError or TypeError when a part or a term is missing."""
        return cls(
            ConditionalLogit({name: float(document["products"][name]) for name in PRODUCTS}),
            ConditionalLogit({name: float(document["none"][name]) for name in NONE}),
        )


def _fit_none(utilities: Floats, answers: NDArray[np.int64], share: float) -> ConditionalLogit:
    """Rows that are none weigh `share` of all, however many there are."""
    none = answers == utilities.shape[1]
    weights = np.where(none, share / max(none.sum(), 1), (1 - share) / max((~none).sum(), 1)) * len(answers)
    offset = np.hstack([utilities, np.zeros((len(utilities), 1))])
    return ConditionalLogit.fit(_none_terms(utilities), answers, weights, NONE, NONE_RIDGE, FREE, offset)


def _with_none(utilities: Floats, none: ConditionalLogit) -> Floats:
    offset = np.hstack([utilities, np.zeros((len(utilities), 1))])
    return np.asarray(log_softmax(offset + none.utilities(_none_terms(utilities)), axis=1))


def _none_terms(utilities: Floats) -> dict[str, Floats]:
    """Values `(rows, products + 1)`, 0 but in the last column: 1, and how far the best product is above the mean."""
    possible = np.isfinite(utilities)
    mean = np.where(possible, utilities, 0.0).sum(axis=1) / np.maximum(possible.sum(axis=1), 1)
    best = np.where(possible, utilities, mean[:, None]).max(axis=1, initial=-np.inf) - mean
    columns = {"none": mean * 0 + 1, "none_best": np.where(np.isfinite(best), best, 0.0)}
    found = {name: np.zeros((len(utilities), utilities.shape[1] + 1)) for name in columns}
    for name, column in columns.items():
        found[name][:, -1] = column
    return found


def _rows(terms: Terms, rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: values[rows] for name, values in terms.items()}
