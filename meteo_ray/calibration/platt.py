"""Platt scaling of many yes-or-no questions at once: `sigmoid(slope * logit + intercept)`, fitted on a split."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

Floats = NDArray[np.float64]

IDENTITY = np.array([1.0, 0.0])  # slope and intercept where nothing is known

GRADIENT_TOLERANCE = 1e-9  # of the mean over a question's rows
MOST_STEPS = 100  # Newton's method needs five to ten
MOST_HALVINGS = 30
ROUNDING = 1e-12  # of a loss: sums of some thousand terms in float64
# Keeps Newton's matrix invertible where every row is certain; the value of Lin, Lin and Weng 2007, section 3.
RIDGE = 1e-12


@dataclass(frozen=True)
class PlattPrior:
    """What is held of a question's (slope, intercept) before its own rows are looked at: what all questions' rows say.

    A normal distribution: `mean` `(2,)` and inverse covariance `precision` `(2, 2)`. It stands for so many `positives`
    and `negatives` seen elsewhere.
    """

    mean: Floats
    precision: Floats
    positives: float = 0.0
    negatives: float = 0.0

    @classmethod
    def nothing(cls) -> Self:
        return cls(IDENTITY, np.zeros((2, 2)))

    @classmethod
    def around(cls, line: ArrayLike, logits: ArrayLike, rows: float) -> Self:
        """A line `(2,)` known from elsewhere, that shall count as much as `rows` positive and as many negative rows.

        Args:
            logits: of the rows at hand, flattened here: where the line is sure is told by what it says of them.
        """
        mean, values = np.asarray(line, dtype=np.float64), np.ravel(np.asarray(logits, dtype=np.float64))
        share = 2 * rows / max(len(values), 1)
        return cls(mean, share * _curvature(mean, values), rows, rows)

    @classmethod
    def pooled(cls, logits: ArrayLike, targets: ArrayLike, positives: float) -> Self:
        """Of rows that shall count as much as `positives` rows whose target is 1 (Laplace's approximation).

        Args:
            logits, targets: of one shape, flattened here.
        """
        values, truth = np.ravel(np.asarray(logits, dtype=np.float64)), np.ravel(np.asarray(targets)).astype(bool)
        mean = fit_platt(values[:, None], truth[:, None])[0]
        share = positives / max(int(truth.sum()), 1)
        return cls(mean, share * _curvature(mean, values), share * float(truth.sum()), share * float((~truth).sum()))


def _curvature(line: Floats, values: Floats) -> Floats:
    """Second derivative `(2, 2)` of the loss of rows `values` at a line; their answers do not matter to it."""
    probability = expit(line[0] * values + line[1])
    design = np.stack([values, np.ones_like(values)], axis=1)
    return np.asarray((design * (probability * (1 - probability))[:, None]).T @ design)


def fit_platt(logits: ArrayLike, targets: ArrayLike, prior: PlattPrior | None = None) -> Floats:
    """The slope and intercept that make `sigmoid(slope * logit + intercept)` most likely, question by question.

    Platt 1999, by Newton's method with backtracking (Lin, Lin and Weng 2007), all questions in step: a library's
    optimiser, called for each, takes seconds for what is fitted after every epoch.

    Args:
        logits: `(rows, questions)`.
        targets: `(rows, questions)` of 0 and 1.
        prior: what is known of them besides.

    Returns:
        `(questions, 2)`; of a question that lacks one of the answers the prior's mean, or (1, 0) without a prior.
    """
    values, truth = np.asarray(logits, dtype=np.float64), np.asarray(targets).astype(bool)
    before = prior or PlattPrior.nothing()
    found = np.tile(before.mean, (values.shape[1], 1))
    asked = truth.any(axis=0) & ~truth.all(axis=0)
    if asked.any():
        found[asked] = _newton(values[:, asked], truth[:, asked], before)
    return found


def smoothed(truth: NDArray[np.generic], more_positives: float = 0.0, more_negatives: float = 0.0) -> Floats:
    """Platt's targets (n+ + 1)/(n+ + 2) and 1/(n- + 2) instead of 1 and 0, column by column.

    Perfectly separated rows would otherwise be most likely at infinite sharpness. Rows that count besides, without
    being here, make the targets as certain as all of them together do.
    """
    yes = truth.astype(bool)
    positives, negatives = yes.sum(axis=0) + more_positives, (~yes).sum(axis=0) + more_negatives
    return np.where(yes, (positives + 1) / (positives + 2), 1 / (negatives + 2))


def _newton(values: Floats, truth: NDArray[np.bool_], prior: PlattPrior) -> Floats:
    """Newton's steps `(questions, 2)` from the prior's mean, each halved until it lowers its question's loss."""
    wanted = smoothed(truth, prior.positives, prior.negatives)
    lines = np.tile(prior.mean, (values.shape[1], 1))
    loss, stuck = _loss(lines, values, wanted, prior), np.zeros(len(lines), dtype=bool)
    for _ in range(MOST_STEPS):
        gradient, step = _step(lines, values, wanted, prior)
        moving = ~stuck & (np.abs(gradient).max(axis=1) > GRADIENT_TOLERANCE * len(values))
        if not moving.any():
            break
        scale = moving.astype(np.float64)
        for _ in range(MOST_HALVINGS):
            tried = lines - scale[:, None] * step
            reached = _loss(tried, values, wanted, prior)
            higher = reached > loss + ROUNDING * np.abs(loss)
            if not higher.any():
                break
            scale[higher] /= 2
        stuck |= higher  # float64 cannot tell a better line
        lines, loss = np.where(higher[:, None], lines, tried), np.where(higher, loss, reached)
    return lines


def _loss(lines: Floats, values: Floats, wanted: Floats, prior: PlattPrior) -> Floats:
    """Negative log-likelihood and prior of each question, `(questions,)`."""
    scaled, moved = values * lines[:, 0] + lines[:, 1], lines - prior.mean
    likelihood = np.sum(np.logaddexp(0, scaled) - wanted * scaled, axis=0)
    return np.asarray(likelihood + np.einsum("qi,ij,qj->q", moved, prior.precision, moved) / 2)


def _step(lines: Floats, values: Floats, wanted: Floats, prior: PlattPrior) -> tuple[Floats, Floats]:
    """Gradient of the loss and Newton's step, `(questions, 2)` each."""
    probability = expit(values * lines[:, 0] + lines[:, 1])
    error, weight = probability - wanted, probability * (1 - probability)
    gradient = np.stack([(error * values).sum(axis=0), error.sum(axis=0)], axis=1)
    gradient += (lines - prior.mean) @ prior.precision
    mixed = (weight * values).sum(axis=0)
    matrix = np.stack([(weight * values**2).sum(axis=0), mixed, mixed, weight.sum(axis=0)], axis=1).reshape(-1, 2, 2)
    return gradient, np.linalg.solve(matrix + prior.precision + RIDGE * np.eye(2), gradient[..., None])[..., 0]
