"""Decision thresholds, fitted on the validation split: of best F1, of a wanted recall or precision (R13, R25)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

# Used where the data cannot tell: a label without a positive row keeps the neutral threshold.
NEUTRAL_THRESHOLD = 0.5

# Rows are whole: a wanted share of them may be missed by less than the rounding of float64, never by a row.
ROUNDING = 1e-9


def best_f1_threshold(targets: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """The threshold of best F1, searched over every one that changes a decision (R13).

    The grid is exhaustive: the middles between neighbouring distinct scores and the lowest score. Among equally good
    ones the nearest to 0.5 is taken. 0.5 when no positive row counts. `weights` `(rows,)` say how often each row
    counts.
    """
    truth, values = np.asarray(targets, dtype=bool), np.asarray(scores, dtype=np.float64)
    counts = np.ones(len(truth)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not counts @ truth > 0:
        return NEUTRAL_THRESHOLD
    thresholds, hits, called = _operating_points(truth, values, counts)
    f1 = 2 * hits / (called + counts @ truth)
    best = thresholds[np.isclose(f1, f1.max(), rtol=1e-12, atol=0)]
    return float(best[np.argmin(np.abs(best - NEUTRAL_THRESHOLD))])


def threshold_for_recall(targets: ArrayLike, scores: ArrayLike, recall: float) -> float | None:
    """The highest threshold that still finds at least this share of the positives; None without a positive row."""
    truth, values = np.asarray(targets, dtype=bool), np.asarray(scores, dtype=np.float64)
    if not truth.any():
        return None
    thresholds, hits, _ = _operating_points(truth, values, np.ones(len(truth)))
    return float(thresholds[hits >= recall * truth.sum() - ROUNDING].max())


def threshold_for_precision(targets: ArrayLike, scores: ArrayLike, precision: float) -> float | None:
    """The lowest threshold whose positives are right at least this often; None when no threshold reaches it."""
    truth, values = np.asarray(targets, dtype=bool), np.asarray(scores, dtype=np.float64)
    if not truth.any():
        return None
    thresholds, hits, called = _operating_points(truth, values, np.ones(len(truth)))
    good = thresholds[hits >= precision * called - ROUNDING]
    return float(good.min()) if len(good) else None


def _operating_points(truth: NDArray[np.bool_], values: Floats, counts: Floats) -> tuple[Floats, Floats, Floats]:
    """All thresholds that differ in a decision, highest first, with how much true and all positives called by each
    count."""
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    last_of_tie: NDArray[np.int64] = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    called: Floats = np.cumsum(counts[order])[last_of_tie]
    hits: Floats = np.cumsum((counts * truth)[order])[last_of_tie]
    distinct = ordered[last_of_tie]
    lower = np.append(distinct[1:], distinct[-1])
    middles = lower + (distinct - lower) / 2
    # Two neighbouring floats have no middle; then the upper one itself is the threshold.
    thresholds: Floats = np.where(middles > lower, middles, distinct)
    return thresholds, hits, called
