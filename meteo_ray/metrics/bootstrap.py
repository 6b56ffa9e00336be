"""Confidence intervals of any metric over rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def bootstrap_interval(
    metric: Callable[[NDArray[Any], NDArray[Any]], float | None],
    targets: ArrayLike,
    scores: ArrayLike,
    seed: int,
    rounds: int = 1000,
    level: float = 0.95,
) -> tuple[float, float] | None:
    """Percentile bootstrap of a metric over rows (Efron & Tibshirani 1993, chapter 13).

    Draws in which the metric is undefined are left out; None when that leaves fewer than half of the rounds, because
    an interval over the lucky draws alone would look narrower than it is.
    """
    truth, values = np.asarray(targets), np.asarray(scores)
    rng = np.random.default_rng([seed, len(truth)])
    draws = (rng.integers(len(truth), size=len(truth)) for _ in range(rounds if len(truth) else 0))
    found = [value for draw in draws if (value := metric(truth[draw], values[draw])) is not None]
    if len(found) < max(rounds / 2, 1):
        return None
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
