"""Quality of ranked lists of neighbours, where many neighbours stand at the same distance."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def expected_average_precision(distances: ArrayLike, relevant: ArrayLike) -> float | None:
    """The mean of average precision over all orders of items of equal distance, in closed form.

    Codes of a few bits put hundreds of items at one distance; any fixed order of them (by row, say, where a database
    stands class by class) makes a score out of nothing. An item at place i of a group of n, r of them relevant, that
    follows s items with R relevant ones, is relevant with probability r/n, and then R + 1 + (i - 1)(r - 1)/(n - 1)
    relevant ones are expected up to it (McSherry & Najork 2008, section 3.3).

    Args:
        distances: `(items,)`, the nearest first in the ranking.
        relevant: `(items,)` of 0 and 1.

    Returns:
        The mean over the relevant items of the precision at their place; None where no item is relevant.
    """
    truth = np.asarray(relevant)
    values = np.asarray(distances)
    if truth.shape != values.shape or truth.ndim != 1:
        raise ValueError(f"distances {values.shape} and relevant {truth.shape} must be equal, with one dimension")
    if not np.isin(truth, (0, 1)).all():
        raise ValueError("relevant must be 0 or 1")
    if np.isnan(np.asarray(values, dtype=np.float64)).any():
        raise ValueError("distances hold NaN")
    total = int(truth.sum())
    if not total:
        return None
    _, group, items = np.unique(values, return_inverse=True, return_counts=True)
    hits = np.bincount(group, weights=truth.astype(np.float64), minlength=len(items))
    before, hits_before = np.cumsum(items) - items, np.cumsum(hits) - hits
    of_place = np.repeat(np.arange(len(items)), items)  # the group of each place of the ranking
    place = np.arange(len(values)) - before[of_place]  # i - 1
    others = np.maximum(items - 1, 1)[of_place]
    found = hits_before[of_place] + 1 + place * np.maximum(hits[of_place] - 1, 0) / others
    precision = found / np.arange(1, len(values) + 1)
    return float((hits / items)[of_place] @ precision / total)


def mean_expected_average_precision(distances: ArrayLike, relevant: ArrayLike) -> float | None:
    """The mean of `expected_average_precision` over queries: mAP over all items.

    Args:
        distances: `(queries, items)`.
        relevant: the same shape, 0 and 1.

    Returns:
        None where no query has a relevant item; queries without any are left out, nothing could be found for them.
    """
    pairs = zip(np.asarray(distances), np.asarray(relevant), strict=True)
    found = [value for row, truth in pairs if (value := expected_average_precision(row, truth)) is not None]
    return float(np.mean(found)) if found else None


def without_itself(table: NDArray[np.generic]) -> NDArray[np.generic]:
    """A square table `(rows, rows)` without its diagonal, `(rows, rows - 1)`: every row asks all others."""
    rows = len(table)
    if table.shape != (rows, rows):
        raise ValueError(f"expected a square table, got {table.shape}")
    return table[~np.eye(rows, dtype=bool)].reshape(rows, max(rows - 1, 0))
