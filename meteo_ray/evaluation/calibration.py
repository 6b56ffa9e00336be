"""Decision thresholds and probabilities that mean what they say, fitted on the validation split (R13, R25, R40)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, logsumexp

Floats = NDArray[np.float64]

# Used where the data cannot tell: a label without a positive row keeps the neutral threshold.
NEUTRAL_THRESHOLD = 0.5

# A network is seldom wrong about its own sharpness by more than this factor; the bounds keep a tiny validation split,
# on which any temperature fits, from leaving the range in which float32 probabilities stay distinct.
TEMPERATURE_BOUNDS = (1 / 20, 20.0)

# Rows are whole: a wanted share of them may be missed by less than the rounding of float64, never by a row.
ROUNDING = 1e-9


def best_f1_threshold(targets: ArrayLike, scores: ArrayLike) -> float:
    """The threshold of best F1, searched over every one that changes a decision (R13).

    The grid is exhaustive: the middles between neighbouring distinct scores and the lowest score. Among equally good
    ones the nearest to 0.5 is taken. 0.5 when there is no positive row.
    """
    truth, values = np.asarray(targets, dtype=bool), np.asarray(scores, dtype=np.float64)
    if not truth.any():
        return NEUTRAL_THRESHOLD
    thresholds, hits, called = _operating_points(truth, values)
    f1 = 2 * hits / (called + truth.sum())
    best = thresholds[np.isclose(f1, f1.max(), rtol=1e-12, atol=0)]
    return float(best[np.argmin(np.abs(best - NEUTRAL_THRESHOLD))])


def per_class_thresholds(targets: ArrayLike, scores: ArrayLike) -> Floats:
    """`best_f1_threshold` of every column: `(n, labels)` twice -> `(labels,)` (R25)."""
    truth, values = np.asarray(targets), np.asarray(scores)
    return np.array([best_f1_threshold(truth[:, label], values[:, label]) for label in range(truth.shape[1])])


def threshold_for_recall(targets: ArrayLike, scores: ArrayLike, recall: float) -> float | None:
    """The highest threshold that still finds at least this share of the positives; None without a positive row."""
    truth, values = np.asarray(targets, dtype=bool), np.asarray(scores, dtype=np.float64)
    if not truth.any():
        return None
    thresholds, hits, _ = _operating_points(truth, values)
    return float(thresholds[hits >= recall * truth.sum() - ROUNDING].max())


def threshold_for_precision(targets: ArrayLike, scores: ArrayLike, precision: float) -> float | None:
    """The lowest threshold whose positives are right at least this often; None when no threshold reaches it."""
    truth, values = np.asarray(targets, dtype=bool), np.asarray(scores, dtype=np.float64)
    if not truth.any():
        return None
    thresholds, hits, called = _operating_points(truth, values)
    good = thresholds[hits >= precision * called - ROUNDING]
    return float(good.min()) if len(good) else None


def fit_temperature(logits: ArrayLike, targets: ArrayLike) -> float:
    """The T that makes `sigmoid(logit / T)`, or `softmax(logits / T)`, most likely (Guo et al. 2017, section 4.2).

    Args:
        logits: `(n,)` for yes/no, `(n, classes)` for one of several.
        targets: `(n,)` of 0 and 1, or of class numbers.

    Returns:
        T within TEMPERATURE_BOUNDS; 1 when the targets hold no row, or yes/no targets one class only.
    """
    values, truth = np.asarray(logits, dtype=np.float64), np.asarray(targets)
    if not len(truth) or (values.ndim == 1 and truth.min() == truth.max()):
        return 1.0
    smooth = _platt_targets(truth) if values.ndim == 1 else None

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = values / np.exp(log_temperature)
        if smooth is not None:
            return float(np.mean(np.logaddexp(0, scaled) - smooth * scaled))
        return float(np.mean(logsumexp(scaled, axis=1) - scaled[np.arange(len(truth)), truth]))

    low, high = np.log(TEMPERATURE_BOUNDS)
    found = minimize_scalar(negative_log_likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-7})
    return float(np.exp(found.x))


def fit_platt(logits: ArrayLike, targets: ArrayLike) -> tuple[float, float]:
    """The (a, b) that make `sigmoid(a * logit + b)` most likely (Platt 1999); (1, 0) unless both classes occur.

    Args:
        logits: `(n,)`.
        targets: `(n,)` of 0 and 1.
    """
    values, truth = np.asarray(logits, dtype=np.float64), np.asarray(targets)
    if not len(truth) or truth.min() == truth.max():
        return 1.0, 0.0
    smooth = _platt_targets(truth)

    def loss_and_gradient(parameters: Floats) -> tuple[float, Floats]:
        scaled = parameters[0] * values + parameters[1]
        error = expit(scaled) - smooth
        return float(np.mean(np.logaddexp(0, scaled) - smooth * scaled)), np.array(
            [np.mean(error * values), error.mean()]
        )

    found = minimize(loss_and_gradient, np.array([1.0, 0.0]), jac=True, method="BFGS", options={"gtol": 1e-9})
    return float(found.x[0]), float(found.x[1])


def _operating_points(truth: NDArray[np.bool_], values: Floats) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """All thresholds that differ in a decision, highest first, with the true and all positives called by each."""
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    last_of_tie: NDArray[np.int64] = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    hits: NDArray[np.int64] = np.cumsum(truth[order].astype(np.int64))[last_of_tie]
    distinct = ordered[last_of_tie]
    lower = np.append(distinct[1:], distinct[-1])
    middles = lower + (distinct - lower) / 2
    # Two neighbouring floats have no middle; then the upper one itself is the threshold.
    thresholds: Floats = np.where(middles > lower, middles, distinct)
    return thresholds, hits, last_of_tie + 1


def _platt_targets(truth: NDArray[np.generic]) -> Floats:
    """Platt's targets (n+ + 1)/(n+ + 2) and 1/(n- + 2) instead of 1 and 0.

    Perfectly separated rows would otherwise be most likely at infinite sharpness.
    """
    positives = float(truth.astype(bool).sum())
    negatives = len(truth) - positives
    return np.where(truth.astype(bool), (positives + 1) / (positives + 2), 1 / (negatives + 2))
