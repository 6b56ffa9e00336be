"""From the voters' raw scores to one calibrated score a label, and from scores to decisions (R25, R40)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from meteo_ray.calibration.platt import IDENTITY, PlattPrior, fit_platt
from meteo_ray.calibration.thresholds import best_f1_threshold
from meteo_ray.calibration.votes import VoterGroup, Votes, VoteScales, cross_fitted

# Keeps the logit of a probability finite: 1e-6 is below what any validation split can tell from 0.
EDGE = 1e-6


@dataclass(frozen=True)
class LabelCalibration:
    """One label's Platt scaling `sigmoid(slope * votes + intercept)` and threshold of the result.

    `positives` are those of the validation split; `pooled` tells that there were none, or nothing else, so that all
    labels' rows together decided.
    """

    slope: float
    intercept: float
    threshold: float
    positives: int
    pooled: bool


@dataclass(frozen=True)
class ElementsCalibration:
    """Every voter's scales, and what their sum means for each label, in vocabulary order."""

    scales: VoteScales
    labels: tuple[LabelCalibration, ...]

    @classmethod
    def fit(cls, groups: Sequence[VoterGroup], targets: np.ndarray, borrowed: float) -> Self:
        """Fit on a validation split; labels are calibrated on cross-fitted sums of the votes.

        Args:
            groups: votes, log-odds `(rows, labels)`.
            targets: `(rows, labels)` of 0 and 1.
            borrowed: how many positive rows' worth of all labels' rows count beside each label's own: a rare label
                leans on all of them, a common one on itself.
        """
        sums = cross_fitted(groups, targets, borrowed)
        lines = _fit_lines(sums, targets, borrowed)
        scores = _probabilities(sums, *lines.T)
        thresholds = _fit_thresholds(scores, targets, borrowed)
        positives = targets.sum(axis=0).astype(int)
        pooled = (positives == 0) | (positives == len(targets))
        labels = zip(*lines.T.tolist(), thresholds, positives.tolist(), pooled.tolist(), strict=True)
        return cls(VoteScales.of_groups(groups, targets, borrowed), tuple(LabelCalibration(*label) for label in labels))

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """`(labels,)`; a label is shown when its score is at or above its threshold."""
        return np.array([label.threshold for label in self.labels])

    def scores(self, votes: Votes) -> NDArray[np.float32]:
        """Calibrated probabilities `(rows, labels)`; rounded to float32 here, so that thresholds see what users see."""
        slopes = np.array([label.slope for label in self.labels])
        intercepts = np.array([label.intercept for label in self.labels])
        return _probabilities(self.scales.log_odds(votes), slopes, intercepts)

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """A document that people can read: every label's entry under its name."""
        entries = {name: asdict(label) for name, label in zip(names, self.labels, strict=True)}
        return {"voters": self.scales.to_json(), "labels": entries}

    @classmethod
    def from_json(cls, document: dict[str, Any], names: Sequence[str]) -> Self:
        """Raises KeyError or TypeError when the document lacks a label or a value."""
        labels = tuple(LabelCalibration(**document["labels"][name]) for name in names)
        return cls(VoteScales.from_json(document["voters"]), labels)


def of_network(parallel: np.ndarray, emitted: np.ndarray) -> dict[str, np.ndarray]:
    """Both heads as voters, `(rows, labels)`: logits of the parallel head, probabilities of the sequence head."""
    certain = np.clip(np.asarray(emitted, dtype=np.float64), EDGE, 1 - EDGE)
    return {"parallel": np.asarray(parallel), "sequence": np.asarray(logit(certain))}


def _fit_lines(sums: np.ndarray, targets: np.ndarray, borrowed: float) -> NDArray[np.float64]:
    """Slope and intercept of every label, `(labels, 2)`; a falling line would turn a ranking round."""
    prior = PlattPrior.pooled(sums, targets, borrowed)
    own = fit_platt(sums, targets, prior)
    return np.where(own[:, :1] > 0, own, prior.mean if prior.mean[0] > 0 else IDENTITY)


def _fit_thresholds(scores: np.ndarray, targets: np.ndarray, borrowed: float) -> list[float]:
    """Of best F1 over each label's rows, and beside them those of all labels (R25)."""
    every, truths = scores.ravel(), targets.ravel()
    counts = np.append(np.ones(len(targets)), np.full(len(every), borrowed / max(truths.sum(), 1)))
    return [
        best_f1_threshold(np.append(truth, truths), np.append(column, every), counts)
        for column, truth in zip(scores.T, targets.T, strict=True)
    ]


def _probabilities(sums: np.ndarray, slopes: np.ndarray, intercepts: np.ndarray) -> NDArray[np.float32]:
    return np.asarray(expit(slopes * sums + intercepts), dtype=np.float32)
