"""Several voters on the same yes-or-no questions, brought to one scale and added up.

Each voter's raw score is turned into calibrated log-odds by Platt scaling, question by question; calibrated log-odds of
independent voters add up to those of all, so that a voter which knows little says little. Voters that repeat each other
count less: one weight a voter, fitted to all questions together, for that is what a hundred rows can tell. The sum is
calibrated again by whoever uses it: on sums that are cross-fitted, or it would look surer than it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from meteo_ray.calibration.probabilities import fit_platt, fit_weights

Floats = NDArray[np.float64]
Votes = Mapping[str, np.ndarray]
"""Raw scores `(rows, questions)` by the name of their voter."""

FOLDS = 5


@dataclass(frozen=True)
class Scale:
    """Platt scaling of one voter: `slope * score + intercept`, each `(questions,)`."""

    slope: tuple[float, ...]
    intercept: tuple[float, ...]

    @classmethod
    def fit(cls, scores: np.ndarray, targets: np.ndarray, minimum_rows: int) -> Self:
        """Questions with fewer rows of either answer, and those that a voter answers the wrong way round, share one."""
        pooled = _rising(*fit_platt(scores.ravel(), targets.ravel()))
        found = []
        for column, truth in zip(scores.T, targets.T, strict=True):
            enough = min(truth.sum(), len(truth) - truth.sum()) >= minimum_rows
            slope, intercept = fit_platt(column, truth) if enough else pooled
            found.append((slope, intercept) if slope > 0 else pooled)
        return cls(tuple(slope for slope, _ in found), tuple(intercept for _, intercept in found))

    def log_odds(self, scores: np.ndarray) -> Floats:
        """Calibrated log-odds `(rows, questions)`."""
        return np.asarray(np.asarray(scores, np.float64) * self.slope + self.intercept)


@dataclass(frozen=True)
class VoteScales:
    """Every voter's scale, and how much it counts in the sum: 1 where `weights` is silent."""

    voters: Mapping[str, Scale]
    weights: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def fit(cls, votes: Votes, targets: np.ndarray, minimum_rows: int) -> Self:
        """Fit on a validation split: `votes` and targets of 0 and 1, `(rows, questions)`."""
        scales = _fit_scales(votes, targets, minimum_rows)
        if len(votes) == 1:
            return cls(scales)
        calibrated = {name: np.zeros(targets.shape) for name in votes}
        for fitted, scored in _folds(len(targets)):
            for name, scale in _fit_scales(_rows(votes, fitted), targets[fitted], minimum_rows).items():
                calibrated[name][scored] = scale.log_odds(votes[name][scored])
        weights = fit_weights(np.stack([calibrated[name].ravel() for name in votes], axis=1), targets.ravel())
        return cls(scales, dict(zip(votes, weights.tolist(), strict=True)))

    def log_odds(self, votes: Votes) -> Floats:
        """The weighted sum of all voters' calibrated log-odds, `(rows, questions)`.

        Raises:
            KeyError: when a voter is missing.
        """
        parts = [self.weights.get(name, 1.0) * scale.log_odds(votes[name]) for name, scale in self.voters.items()]
        return np.asarray(np.sum(parts, axis=0))

    def to_json(self) -> dict[str, Any]:
        return {
            name: {"weight": self.weights.get(name, 1.0), "slope": [*scale.slope], "intercept": [*scale.intercept]}
            for name, scale in self.voters.items()
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Raises KeyError or TypeError when a scale is missing."""
        scales = {name: Scale(tuple(entry["slope"]), tuple(entry["intercept"])) for name, entry in document.items()}
        return cls(scales, {name: float(entry.get("weight", 1.0)) for name, entry in document.items()})


def stacked(votes: Votes, voters: Sequence[str]) -> np.ndarray:
    """The scores of some voters in one array, float32 `(rows, voters, questions)`, to travel in one column."""
    return np.stack([np.asarray(votes[name], dtype=np.float32) for name in voters], axis=1)


def unstacked(stack: np.ndarray, voters: Sequence[str]) -> dict[str, np.ndarray]:
    """The scores by voter of what `stacked` made; its rows may be flat, `(rows, voters * questions)`.

    Raises:
        ValueError: when they are not of so many voters.
    """
    scores = stack.reshape(len(stack), len(voters), stack[0].size // len(voters) if len(stack) else 0)
    return {name: scores[:, number] for number, name in enumerate(voters)}


def cross_fitted(votes: Votes, targets: np.ndarray, minimum_rows: int) -> Floats:
    """The sums `(rows, questions)`, each row's by scales that were fitted on other rows.

    A voter alone keeps its order, which no scale can flatter.
    """
    found = np.zeros(targets.shape)
    if len(votes) == 1:
        return VoteScales.fit(votes, targets, minimum_rows).log_odds(votes)
    for fitted, scored in _folds(len(targets)):
        scales = VoteScales.fit(_rows(votes, fitted), targets[fitted], minimum_rows)
        found[scored] = scales.log_odds(_rows(votes, scored))
    return found


def _fit_scales(votes: Votes, targets: np.ndarray, minimum_rows: int) -> dict[str, Scale]:
    return {name: Scale.fit(scores, targets, minimum_rows) for name, scores in votes.items()}


def _folds(rows: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What is fitted on and what is scored, FOLDS times; few rows are scored by themselves."""
    if rows < FOLDS:
        every = np.arange(rows)
        yield every, every
        return
    yield from KFold(FOLDS, shuffle=True, random_state=0).split(np.zeros(rows))


def _rows(votes: Votes, rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: scores[rows] for name, scores in votes.items()}


def _rising(slope: float, intercept: float) -> tuple[float, float]:
    """A voter that is wrong more often than right on the whole is not heard."""
    return (slope, intercept) if slope > 0 else (0.0, 0.0)
