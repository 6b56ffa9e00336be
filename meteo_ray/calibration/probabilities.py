"""Probabilities that mean what they say: temperature and weights of voters, fitted on the validation split (R40)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, logsumexp

from meteo_ray.calibration.platt import smoothed

Floats = NDArray[np.float64]

# A network is seldom wrong about its own sharpness by more than this factor; the bounds keep a tiny validation split,
# on which any temperature fits, from leaving the range in which float32 probabilities stay distinct.
TEMPERATURE_BOUNDS = (1 / 20, 20.0)

# What a voter is held to count before anything is known: between 1, which is right for independent ones, and the
# fraction of it that those deserve who repeat each other.
WEIGHT = 0.5


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
    smooth = smoothed(truth) if values.ndim == 1 else None

    def negative_log_likelihood(log_temperature: float) -> float:
        scaled = values / np.exp(log_temperature)
        if smooth is not None:
            return float(np.mean(np.logaddexp(0, scaled) - smooth * scaled))
        return float(np.mean(logsumexp(scaled, axis=1) - scaled[np.arange(len(truth)), truth]))

    low, high = np.log(TEMPERATURE_BOUNDS)
    found = minimize_scalar(negative_log_likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-7})
    return float(np.exp(found.x))


def fit_weights(log_odds: ArrayLike, targets: ArrayLike) -> Floats:
    """How much each of several voters counts in the sum that makes `sigmoid(sum + b)` most likely, none below 0.

    A logistic regression with a normal prior of deviation 1 around WEIGHT for each: voters who say the same share one
    weight, and a few rows move little.

    Args:
        log_odds: `(n, voters)`.
        targets: `(n,)` of 0 and 1.

    Returns:
        `(voters,)`, of mean 1; all 1 unless both classes occur or where nobody is to be heard.
    """
    values, truth = np.asarray(log_odds, dtype=np.float64), np.asarray(targets)
    voters = values.shape[1]
    if not len(truth) or truth.min() == truth.max():
        return np.ones(voters)
    smooth = smoothed(truth)

    def loss_and_gradient(parameters: Floats) -> tuple[float, Floats]:
        scaled = values @ parameters[:-1] + parameters[-1]
        error, drawn = expit(scaled) - smooth, parameters[:-1] - WEIGHT
        loss = np.sum(np.logaddexp(0, scaled) - smooth * scaled) + drawn @ drawn / 2
        return float(loss) / len(truth), np.append(error @ values + drawn, error.sum()) / len(truth)

    start = np.append(np.full(voters, WEIGHT), 0.0)
    bounds = [(0.0, None)] * voters + [(None, None)]
    found = minimize(loss_and_gradient, start, jac=True, method="L-BFGS-B", bounds=bounds).x[:-1]
    return np.asarray(found / found.mean()) if found.any() else np.ones(voters)
