"""Quality of a yes-or-no score: AUC, F1, precision, recall, equal error rate (R14)."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import roc_auc_score, roc_curve

from meteo_ray.metrics.calibration_error import expected_calibration_error
from meteo_ray.metrics.checks import checked, f1_parts


def binary_metrics(targets: ArrayLike, scores: ArrayLike, threshold: ArrayLike) -> dict[str, float | None]:
    """Quality of a yes/no score.

    Args:
        targets: `(n,)` of 0 and 1 (or bool).
        scores: `(n,)` probabilities.
        threshold: a row counts as positive at or above it; one for all, or `(n,)` of their own.

    Returns:
        auc, f1, precision, recall, eer, ece (None where undefined), accuracy, threshold, positives, negatives. Of
        thresholds that differ it is the commonest.
    """
    truth, values = checked(targets, scores)
    thresholds = np.broadcast_to(np.asarray(threshold, dtype=np.float64), values.shape)
    predicted = values >= thresholds
    positives = int(truth.sum())
    counts = f1_parts(truth, predicted)
    return {
        "auc": area_under_roc(truth, values),
        **counts,
        "accuracy": float((truth == predicted).mean()) if len(truth) else None,
        "eer": equal_error_rate(truth, values),
        "ece": expected_calibration_error(truth, values) if len(truth) else None,
        "threshold": _commonest(thresholds) if len(truth) else None,
        "positives": positives,
        "negatives": len(truth) - positives,
    }


def _commonest(values: np.ndarray) -> float:
    found, counts = np.unique(values, return_counts=True)
    return float(found[counts.argmax()])


def area_under_roc(targets: ArrayLike, scores: ArrayLike) -> float | None:
    """Chance that a positive row scores above a negative one, on any rising scale; None unless both classes occur.

    Scores are `(n,)`, or `(n, 1)` as votes on one question come.
    """
    truth, values = checked(targets, np.ravel(scores))
    return float(roc_auc_score(truth, values)) if 0 < truth.sum() < len(truth) else None


def equal_error_rate(targets: ArrayLike, scores: ArrayLike) -> float | None:
    """The error rate at which as large a share of negatives is accepted as of positives is turned away.

    Both rates are steps over a finite sample and seldom meet in a point of it; the straight line between the two
    neighbouring points of the ROC curve is followed to where they do (what ROC-convex interpolation gives; ISO/IEC
    19795-1 leaves the interpolation open). None unless both classes occur.
    """
    truth, values = checked(targets, scores)
    if truth.all() or not truth.any():
        return None
    false_positive, true_positive, _ = roc_curve(truth, values, drop_intermediate=False)
    gap = (1 - true_positive) - false_positive  # falls from 1 to -1 along the curve
    after = int(np.argmax(gap <= 0))
    step = gap[after - 1] - gap[after]
    share = gap[after - 1] / step
    return float(false_positive[after - 1] + share * (false_positive[after] - false_positive[after - 1]))
