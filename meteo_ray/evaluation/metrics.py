"""Every number that training, evaluation and reports print about quality is computed here (R14, R26, R36).

Conventions: a row is called positive when `score >= threshold`; a metric that the data leave undefined (no positive
row, one class only, nothing at all) is None, never 0 and never NaN; scores that are not finite are a defect upstream
and raise ValueError.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

Floats = NDArray[np.float64]

# Guo et al. 2017 ("On Calibration of Modern Neural Networks", section 4) report ECE over 15 bins of equal width.
ECE_BINS = 15


def binary_metrics(targets: ArrayLike, scores: ArrayLike, threshold: float) -> dict[str, float | None]:
    """Quality of a yes/no score.

    Args:
        targets: `(n,)` of 0 and 1 (or bool).
        scores: `(n,)` probabilities.
        threshold: a row counts as positive at or above it.

    Returns:
        auc, f1, precision, recall, eer, ece (None where undefined), accuracy, threshold, positives, negatives.
    """
    truth, values = _checked(targets, scores)
    predicted = values >= threshold
    positives = int(truth.sum())
    counts = _f1_parts(truth, predicted)
    two_classes = 0 < positives < len(truth)
    return {
        "auc": float(roc_auc_score(truth, values)) if two_classes else None,
        **counts,
        "accuracy": float((truth == predicted).mean()) if len(truth) else None,
        "eer": equal_error_rate(truth, values),
        "ece": expected_calibration_error(truth, values) if len(truth) else None,
        "threshold": float(threshold),
        "positives": positives,
        "negatives": len(truth) - positives,
    }


def equal_error_rate(targets: ArrayLike, scores: ArrayLike) -> float | None:
    """The error rate at which as large a share of negatives is accepted as of positives is turned away.

    Both rates are steps over a finite sample and seldom meet in a point of it; the straight line between the two
    neighbouring points of the ROC curve is followed to where they do (what ROC-convex interpolation gives; ISO/IEC
    19795-1 leaves the interpolation open). None unless both classes occur.
    """
    truth, values = _checked(targets, scores)
    if truth.all() or not truth.any():
        return None
    false_positive, true_positive, _ = roc_curve(truth, values, drop_intermediate=False)
    gap = (1 - true_positive) - false_positive  # falls from 1 to -1 along the curve
    after = int(np.argmax(gap <= 0))
    step = gap[after - 1] - gap[after]
    share = gap[after - 1] / step
    return float(false_positive[after - 1] + share * (false_positive[after] - false_positive[after - 1]))


def multilabel_metrics(
    targets: ArrayLike, scores: ArrayLike, thresholds: ArrayLike, names: Sequence[str]
) -> dict[str, Any]:
    """Quality of per-label scores over a split (R26).

    Args:
        targets: `(n, labels)` of 0 and 1.
        scores: `(n, labels)` probabilities.
        thresholds: `(labels,)`.
        names: one per label.

    Returns:
        map, micro_f1, macro_f1 (means over the labels that occur; None when none does), ap and f1 {name: value or
        None}, support {name: positives}, without_positives [names], count.
    """
    truth, values = _checked(targets, scores, dimensions=2)
    predicted = values >= np.asarray(thresholds, dtype=np.float64)
    support = truth.sum(axis=0)
    occurs = support > 0
    ap = [average_precision(truth[:, label], values[:, label]) for label in range(len(names))]
    f1 = [
        _f1_parts(truth[:, label], predicted[:, label])["f1"] if occurs[label] else None for label in range(len(names))
    ]
    return {
        "map": _mean(ap),
        "micro_f1": _f1_parts(truth.ravel(), predicted.ravel())["f1"],
        "macro_f1": _mean(f1),
        "ap": dict(zip(names, ap, strict=True)),
        "f1": dict(zip(names, f1, strict=True)),
        "support": dict(zip(names, support.tolist(), strict=True)),
        "without_positives": [name for name, there in zip(names, occurs, strict=True) if not there],
        "count": len(truth),
    }


def average_precision(targets: ArrayLike, scores: ArrayLike) -> float | None:
    """Area under the precision-recall steps, `sum (R_i - R_{i-1}) P_i`, ties in one step; None without a positive."""
    truth, values = _checked(targets, scores)
    return float(average_precision_score(truth, values)) if truth.any() else None


def ranking_metrics(
    targets: Sequence[str], ranked: Sequence[Sequence[str]], confidence: ArrayLike
) -> dict[str, float | None]:
    """Quality of ranked answers: share of rows whose right answer is among the first 1, 3 and 5 (R36).

    Args:
        targets: the right answer of each row.
        ranked: each row's answers, best first; may be empty.
        confidence: `(n,)` probability given to the first answer.

    Returns:
        top1, top3, top5, ece of the first answer (None without rows), count.
    """
    positions = [
        list(answers).index(target) if target in answers else None for target, answers in _pairs(targets, ranked)
    ]
    result: dict[str, float | None] = {}
    for depth in (1, 3, 5):
        hits = [position is not None and position < depth for position in positions]
        result[f"top{depth}"] = float(np.mean(hits)) if hits else None
    right = [position == 0 for position in positions]
    result["ece"] = expected_calibration_error(right, confidence) if right else None
    result["count"] = len(positions)
    return result


def expected_calibration_error(correct: ArrayLike, confidence: ArrayLike, bins: int = ECE_BINS) -> float:
    """`sum_b n_b/n |share correct in b - mean confidence in b|` over equal-width bins (low, high] of [0, 1].

    For a yes/no score pass the targets as `correct`: then the confidence is that of "yes". Raises ValueError on no
    rows or on confidences outside [0, 1].
    """
    right, values = _checked(correct, confidence)
    if not len(values) or values.min() < 0 or values.max() > 1:
        raise ValueError("expected calibration error needs at least one confidence, all within [0, 1]")
    weights, accuracy, mean = reliability(right, values, bins)
    return float(np.sum(weights * np.abs(accuracy - mean)) / len(values))


def reliability(correct: ArrayLike, confidence: ArrayLike, bins: int = ECE_BINS) -> tuple[Floats, Floats, Floats]:
    """Rows, share correct and mean confidence of every bin, three arrays `(bins,)`; 0 where a bin is empty."""
    right, values = _checked(correct, confidence)
    which = np.clip(np.ceil(values * bins).astype(int) - 1, 0, bins - 1)
    rows = np.bincount(which, minlength=bins).astype(np.float64)
    divisor = np.maximum(rows, 1)
    accuracy = np.bincount(which, weights=right.astype(np.float64), minlength=bins) / divisor
    mean = np.bincount(which, weights=values, minlength=bins) / divisor
    return rows, accuracy, mean


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


def _f1_parts(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> dict[str, float | None]:
    """f1, precision and recall; 0 where nothing was found that should have been, None where nothing was to be found."""
    hits, called, positives = int((truth & predicted).sum()), int(predicted.sum()), int(truth.sum())
    return {
        "f1": 2 * hits / (called + positives) if positives else None,
        "precision": hits / called if called else (0.0 if positives else None),
        "recall": hits / positives if positives else None,
    }


def _checked(targets: ArrayLike, scores: ArrayLike, dimensions: int = 1) -> tuple[NDArray[np.bool_], Floats]:
    truth = np.asarray(targets)
    values = np.asarray(scores, dtype=np.float64)
    if truth.shape != values.shape or truth.ndim != dimensions:
        raise ValueError(f"targets {truth.shape} and scores {values.shape} must be equal, with {dimensions} dimensions")
    if not np.isin(truth, (0, 1)).all():
        raise ValueError("targets must be 0 or 1")
    if not np.isfinite(values).all():
        raise ValueError(f"{int((~np.isfinite(values)).sum())} scores are NaN or infinite")
    return truth.astype(bool), values


def _pairs(targets: Sequence[str], ranked: Sequence[Sequence[str]]) -> list[tuple[str, Sequence[str]]]:
    return list(zip(targets, ranked, strict=True))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
