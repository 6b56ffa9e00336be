"""Whether probabilities mean what they say: expected calibration error and the bins of a reliability diagram."""

import numpy as np
from numpy.typing import ArrayLike

from meteo_ray.metrics.checks import Floats, checked

# Guo et al. 2017 ("On Calibration of Modern Neural Networks", section 4) report ECE over 15 bins of equal width.
ECE_BINS = 15


def expected_calibration_error(correct: ArrayLike, confidence: ArrayLike, bins: int = ECE_BINS) -> float:
    """`sum_b n_b/n |share correct in b - mean confidence in b|` over equal-width bins (low, high] of [0, 1].

    For a yes/no score pass the targets as `correct`: then the confidence is that of "yes". Raises ValueError on no
    rows or on confidences outside [0, 1].
    """
    right, values = checked(correct, confidence)
    if not len(values) or values.min() < 0 or values.max() > 1:
        raise ValueError("expected calibration error needs at least one confidence, all within [0, 1]")
    weights, accuracy, mean = reliability(right, values, bins)
    return float(np.sum(weights * np.abs(accuracy - mean)) / len(values))


def label_calibration_errors(targets: ArrayLike, scores: ArrayLike) -> tuple[float | None, list[float | None]]:
    """ECE over all cells of targets and scores `(n, labels)`, each cell a yes or no, and over every label's own cells.

    None without rows.
    """
    truth, values = checked(targets, scores, dimensions=2)
    if not truth.size:
        return None, [None] * truth.shape[1]
    columns = zip(truth.T, values.T, strict=True)
    every = expected_calibration_error(truth.ravel(), values.ravel())
    return every, [expected_calibration_error(*column) for column in columns]


def reliability(correct: ArrayLike, confidence: ArrayLike, bins: int = ECE_BINS) -> tuple[Floats, Floats, Floats]:
    """Rows, share correct and mean confidence of every bin, three arrays `(bins,)`; 0 where a bin is empty."""
    right, values = checked(correct, confidence)
    which = np.clip(np.ceil(values * bins).astype(int) - 1, 0, bins - 1)
    rows = np.bincount(which, minlength=bins).astype(np.float64)
    divisor = np.maximum(rows, 1)
    accuracy = np.bincount(which, weights=right.astype(np.float64), minlength=bins) / divisor
    mean = np.bincount(which, weights=values, minlength=bins) / divisor
    return rows, accuracy, mean
