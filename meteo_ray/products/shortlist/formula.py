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
# title more than one in the text, what is learnt less than it claims, since other sources write and draw otherwise. On
# 399 real charts of unseen sources 0.7 times the first guess was likelier than the guess or half of it
# (docs/results.md).
PRODUCTS = {
    "title_named": 1.5,
    "title_alike": 2.0,
    "title_words": 1.5,
    "text_named": 0.75,
    "text_words": 0.75,
    "title_elements": 1.5,
    "elements_mean": 0.3,
    "elements_least": 0.2,
    "elements_explained": 1.5,
    "any": 0.0,
    "words": 0.5,
    "looks": 0.2,
}
# "none of these": an intercept, and how good the best product is: its utility above the mean, how much of a name the
# title holds, how surely its elements are shown.
NONE = {"none": 1.5, "none_best": 0.5, "none_named": -1.0, "none_shown": -0.25}
# Where nothing was read, no product can stand out by its name: a chart must look odd to be none.
NONE_UNREAD = {"none": -1.0, "none_best": 0.0, "none_named": 0.0, "none_shown": -0.25}
NONE_TERMS = {"none_named": "title_words", "none_shown": "elements_mean"}

# A product that may show whichever elements may be rarer, or more common, than its neighbours; the surer the best, the
# less is left for none.
FREE = ("any", *NONE)

# Precision of the normal prior around the first coefficients: 3, 10 and 30 did alike where forty charts of three
# sources validate, 1 made their other charts less likely (docs/results.md).
RIDGE = 5.0


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
    def untrained(cls, read: bool = True) -> Self:
        """For charts whose text was `read`, or was not."""
        return cls(ConditionalLogit(PRODUCTS), ConditionalLogit(NONE if read else NONE_UNREAD))

    @classmethod
    def fit(
        cls,
        terms: Terms,
        without: Terms,
        chosen: NDArray[np.int64],
        settings: ShortlistSettings,
        read: bool = True,
    ) -> Self:
        """Fit on validation charts whose text was `read`, or on the terms of charts as if it had not been.

        Args:
            terms: `(rows, products)` by name.
            without: the same as if the right product had never been learnt.
            chosen: the number of each row's product, `(rows,)`; -1 for one that is none of them.
        """
        known = np.flatnonzero(chosen >= 0)
        if not len(known):
            return cls.untrained(read)
        prior = {name: PRODUCTS[name] for name in terms}
        shown = rows_of(terms, known)
        products = ConditionalLogit.fit(shown, chosen[known], np.ones(len(known)), prior, RIDGE, FREE)
        utilities, left_out = products.utilities(terms), products.utilities(without)[known]
        left_out[np.arange(len(known)), chosen[known]] = -np.inf
        every = np.concatenate([utilities, left_out])
        best = {name: np.concatenate([terms[name], without[name][known]]) for name in NONE_TERMS.values()}
        none = every.shape[1]
        answers = np.concatenate([np.where(chosen < 0, none, chosen), np.full(len(known), none)])
        none_prior = NONE if read else NONE_UNREAD
        return cls(products, _fit_none(every, best, answers, settings.none_share, none_prior))

    def probabilities(self, terms: Terms) -> Floats:
        """Float64 `(rows, products + 1)`, "none of these" last."""
        return np.asarray(np.exp(_with_none(self.products.utilities(terms), terms, self.none)))

    def to_json(self) -> dict[str, Any]:
        return {"products": dict(self.products.coefficients), "none": dict(self.none.coefficients)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Raises KeyError or TypeError when a part or a term is missing."""
        return cls(
            ConditionalLogit({name: float(document["products"][name]) for name in PRODUCTS}),
            ConditionalLogit({name: float(document["none"][name]) for name in NONE}),
        )


def _fit_none(
    utilities: Floats, terms: Terms, answers: NDArray[np.int64], share: float, prior: Mapping[str, float]
) -> ConditionalLogit:
    """Rows that are none weigh `share` of all, however many there are."""
    none = answers == utilities.shape[1]
    weights = np.where(none, share / max(none.sum(), 1), (1 - share) / max((~none).sum(), 1)) * len(answers)
    offset = np.hstack([utilities, np.zeros((len(utilities), 1))])
    return ConditionalLogit.fit(_none_terms(utilities, terms), answers, weights, prior, RIDGE, FREE, offset)


def _with_none(utilities: Floats, terms: Terms, none: ConditionalLogit) -> Floats:
    offset = np.hstack([utilities, np.zeros((len(utilities), 1))])
    return np.asarray(log_softmax(offset + none.utilities(_none_terms(utilities, terms)), axis=1))


def _none_terms(utilities: Floats, terms: Terms) -> dict[str, Floats]:
    """The terms of NONE, `(rows, products + 1)`, 0 but in the last column; products of -inf do not count."""
    possible = np.isfinite(utilities)
    mean = np.where(possible, utilities, 0.0).sum(axis=1) / np.maximum(possible.sum(axis=1), 1)
    best = np.where(possible, utilities - mean[:, None], 0.0).max(axis=1, initial=0.0)
    columns = {"none": np.ones(len(utilities)), "none_best": best}
    for name, term in NONE_TERMS.items():
        columns[name] = np.where(possible, terms[term], 0.0).max(axis=1, initial=0.0)
    beside = np.zeros(utilities.shape)
    return {name: np.hstack([beside, column[:, None]]) for name, column in columns.items()}


def rows_of(terms: Terms, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The terms of some rows, by their positions."""
    return {name: values[rows] for name, values in terms.items()}
