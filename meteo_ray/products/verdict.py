"""The product stage's answer: what the shortlist and the language model say of the candidates, as one choice.

Both are log-probabilities; a conditional logit weighs them, so that a language model that knows little says little, and
calibrates the choice with them. "None of these" takes part: its share comes from the shortlist, which has seen how
charts look whose product was taken from the list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from meteo_ray.calibration.conditional_logit import ConditionalLogit, Floats, Terms

# What each counts before validation has told: a language model's sentences are far surer than they are right.
PRIOR = {"shortlist": 1.0, "language_model": 0.3, "none": 0.0}
ALONE = {"shortlist": 0.0, "language_model": 1.0, "none": -1e6}
FREE = ("none",)
RIDGE = 1.0

# The least probability that a shortlist's word is taken for.
LEAST = 1e-9


@dataclass(frozen=True)
class ProductsVerdict:
    """How much shortlist and language model count, and "none of these" besides."""

    formula: ConditionalLogit

    @classmethod
    def untrained(cls) -> Self:
        return cls(ConditionalLogit(PRIOR))

    @classmethod
    def of_language_model(cls) -> Self:
        """Hears the language model alone, which must choose one of the candidates: the zero-shot baseline (R36)."""
        return cls(ConditionalLogit(ALONE))

    @classmethod
    def fit(cls, listed: np.ndarray, log_likelihood: np.ndarray, chosen: NDArray[np.int64], none_share: float) -> Self:
        """Fit on validation charts (R40).

        Each counts twice: as it is, and with its product taken from the list, when "none of these" is right; that
        counts `none_share` of all.

        Args:
            listed: probabilities of the shortlist, `(rows, products + 1)`, "none of these" last.
            log_likelihood: of the candidates' names, `(rows, products)`, -inf where a product is no candidate.
            chosen: each row's product, `(rows,)`; -1 where it is none.
        """
        none, rows = listed.shape[1] - 1, np.arange(len(chosen))
        left_out, without = listed.astype(np.float64), log_likelihood.astype(np.float64)
        known = np.flatnonzero(chosen >= 0)
        left_out[known, chosen[known]] = 0.0
        # Where the shortlist was so sure that nothing is left, nothing tells the others apart.
        left_out = np.maximum(left_out, np.finfo(np.float64).tiny)
        left_out /= left_out.sum(axis=1, keepdims=True)
        without[known, chosen[known]] = -np.inf
        candidate = np.isfinite(log_likelihood[rows, np.maximum(chosen, 0)]) & (chosen >= 0)
        answers = np.concatenate([np.where(candidate, chosen, none), np.full(len(known), none)])
        terms, offset = _terms(
            np.concatenate([listed, left_out[known]]), np.concatenate([log_likelihood, without[known]])
        )
        is_none = answers == none
        weights = np.where(is_none, none_share / max(is_none.sum(), 1), (1 - none_share) / max((~is_none).sum(), 1))
        return cls(ConditionalLogit.fit(terms, answers, weights * len(answers), PRIOR, RIDGE, FREE, offset))

    def probabilities(
        self, listed: np.ndarray, log_likelihood: np.ndarray, candidates: np.ndarray | None = None
    ) -> Floats:
        """Float64 `(rows, products + 1)`, "none of these" last; arguments as those of `fit`.

        `candidates` is how many products each row was asked about, `(rows,)`, where not all of them have a
        log-likelihood. A row without any was not put to the language model: the shortlist alone answers.
        """
        terms, offset = _terms(listed, log_likelihood, candidates)
        found = np.exp(log_softmax(self.formula.utilities(terms) + offset, axis=1))
        asked = np.isfinite(log_likelihood).any(axis=1)
        return np.where(asked[:, None], found, listed)

    def blended(self, share: float) -> Self:
        """The same with a language model that counts `share` times as much."""
        counts = {**self.formula.coefficients, "language_model": self.formula.coefficients["language_model"] * share}
        return type(self)(ConditionalLogit(counts))

    def to_json(self) -> dict[str, float]:
        return dict(self.formula.coefficients)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Raises KeyError or TypeError when a coefficient is missing."""
        return cls(ConditionalLogit({name: float(document[name]) for name in PRIOR}))


def answered(probabilities: np.ndarray, least: float) -> NDArray[np.int64]:
    """The answer's place in each row of `(rows, products + 1)`: the likeliest, but none (last) where no product is as
    likely as `least`."""
    none = probabilities.shape[1] - 1
    likely = probabilities[:, :none].max(axis=1, initial=0.0) >= least
    return np.where(likely, probabilities.argmax(axis=1), none)


def _terms(
    listed: np.ndarray, log_likelihood: np.ndarray, candidates: np.ndarray | None = None
) -> tuple[Terms, Floats]:
    """Terms `(rows, products + 1)` by name; what is added to the utilities: -inf where a product is no candidate."""
    rows, none = len(listed), listed.shape[1] - 1
    candidate = np.isfinite(log_likelihood)
    spoken = np.zeros((rows, none + 1))
    asked = candidate.any(axis=1)
    # Relative to an even guess, so that the number of candidates does not weigh against "none of these".
    count = candidate.sum(axis=1) if candidates is None else candidates
    even = np.log(np.maximum(count, 1))[:, None]
    said = log_softmax(np.where(asked[:, None], log_likelihood, 0.0), axis=1) + even
    spoken[:, :none] = np.where(candidate, said, 0.0)
    is_none = np.zeros((rows, none + 1))
    is_none[:, none] = 1.0
    offset = np.where(np.hstack([candidate, np.ones((rows, 1), dtype=bool)]), 0.0, -np.inf)
    terms = {"shortlist": np.log(np.maximum(listed, LEAST)), "language_model": spoken, "none": is_none}
    return terms, offset
