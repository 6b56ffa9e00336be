"""One choice among many alternatives, by terms whose few coefficients all alternatives share.

McFadden's conditional logit (1974): P(alternative) = exp(u) / sum of exp(u) over all that can be chosen, where the
utility u is a sum of coefficient x term. An alternative that was in no training row is chosen by the same coefficients.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

Floats = NDArray[np.float64]
Terms = Mapping[str, np.ndarray]
"""Values `(rows, alternatives)` by the name of their term."""


@dataclass(frozen=True)
class ConditionalLogit:
    """What each term counts; a term that it does not know counts nothing."""

    coefficients: Mapping[str, float]

    @classmethod
    def fit(
        cls,
        terms: Terms,
        chosen: ArrayLike,
        weights: ArrayLike,
        prior: Mapping[str, float],
        ridge: float,
        free: Collection[str] = (),
        offset: np.ndarray | None = None,
    ) -> Self:
        """The most likely coefficients, with a normal prior of variance 1 / ridge around those of `prior`.

        Args:
            terms: `(rows, alternatives)` by name, finite.
            chosen: the number of each row's alternative, `(rows,)`.
            weights: how much each row counts, `(rows,)`.
            prior: a coefficient for every term.
            ridge: precision of the prior; more rows outweigh it.
            free: terms that may count against an alternative; all others stay at 0 or above.
            offset: what is added to the utilities, `(rows, alternatives)`; -inf where an alternative cannot be chosen.
        """
        names = list(terms)
        features = np.stack([np.asarray(terms[name], np.float64) for name in names], axis=-1)
        centre = np.array([prior[name] for name in names], dtype=np.float64)
        base = np.zeros(features.shape[:2]) if offset is None else np.asarray(offset, np.float64)
        rows = np.asarray(chosen, dtype=np.int64), np.asarray(weights, np.float64)

        def loss_and_gradient(coefficients: Floats) -> tuple[float, Floats]:
            loss, gradient = negative_log_likelihood(coefficients, features, *rows, base)
            away = coefficients - centre
            return loss + ridge / 2 * float(away @ away), gradient + ridge * away

        bounds = [(None, None) if name in free else (0.0, None) for name in names]
        found = minimize(loss_and_gradient, centre, jac=True, method="L-BFGS-B", bounds=bounds)
        return cls(dict(zip(names, found.x.tolist(), strict=True)))

    def utilities(self, terms: Terms) -> Floats:
        """The sums of coefficient x term, float64 `(rows, alternatives)`. Raises KeyError when a term is missing."""
        return np.asarray(sum(value * np.asarray(terms[name], np.float64) for name, value in self.coefficients.items()))


def negative_log_likelihood(
    coefficients: Floats, features: Floats, chosen: NDArray[np.int64], weights: Floats, offset: Floats
) -> tuple[float, Floats]:
    """Of the chosen alternatives, summed over the rows by weight, and its gradient `(terms,)`.

    Args:
        features: `(rows, alternatives, terms)`.
        chosen: `(rows,)`.
        weights: `(rows,)`.
        offset: `(rows, alternatives)`, -inf where an alternative cannot be chosen.
    """
    every = np.arange(len(chosen))
    log_probabilities = log_softmax(features @ coefficients + offset, axis=1)
    expected = np.einsum("ra,rat->rt", np.exp(log_probabilities), features)
    loss = -float(weights @ log_probabilities[every, chosen])
    return loss, np.asarray(weights @ (expected - features[every, chosen]))
