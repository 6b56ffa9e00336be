"""Confidence intervals of any metric over rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Interval = tuple[float, float]


def bootstrap_interval(
    metric: Callable[[NDArray[Any], NDArray[Any]], float | None],
    targets: ArrayLike,
    scores: ArrayLike,
    seed: int,
    rounds: int = 1000,
    level: float = 0.95,
) -> Interval | None:
    """Interval of one metric of targets and scores, each with a row first; see `bootstrap_intervals`."""
    truth, values = np.asarray(targets), np.asarray(scores)

    def of_draw(rows: NDArray[np.int64]) -> dict[str, float | None]:
        return {"metric": metric(truth[rows], values[rows])}

    return bootstrap_intervals(of_draw, len(truth), seed, rounds, level).get("metric")


def bootstrap_intervals(
    metrics: Callable[[NDArray[np.int64]], Mapping[str, float | None]],
    rows: int,
    seed: int,
    rounds: int = 1000,
    level: float = 0.95,
) -> dict[str, Interval | None]:
    """Percentile bootstrap over rows of several metrics at once (Efron & Tibshirani 1993, chapter 13).

    Draws in which a metric is undefined are left out; None when that leaves fewer than half of the rounds, because
    an interval over the lucky draws alone would look narrower than it is.

    Args:
        metrics: positions of a draw's rows, int64 `(rows,)` -> metrics by name, the same names for every draw.
        rows: how many there are; without any, or without rounds, nothing comes back.
    """
    rng = np.random.default_rng([seed, rows])
    draws = [metrics(rng.integers(rows, size=rows)) for _ in range(rounds if rows else 0)]
    return {name: _interval([draw[name] for draw in draws], level) for name in (draws[0] if draws else ())}


def _interval(values: Sequence[float | None], level: float) -> Interval | None:
    found = [value for value in values if value is not None]
    if len(found) < max(len(values) / 2, 1):
        return None
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
