"""From the voters' raw scores to one calibrated score a label, and from scores to decisions (R25, R40)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from meteo_ray.calibration.probabilities import fit_platt
from meteo_ray.calibration.thresholds import best_f1_threshold
from meteo_ray.calibration.votes import Votes, VoteScales, cross_fitted

# Keeps the logit of a probability finite: 1e-6 is below what any validation split can tell from 0.
EDGE = 1e-6


@dataclass(frozen=True)
class LabelCalibration:
    """One label's Platt scaling `sigmoid(slope * votes + intercept)` and threshold of the result.

    `positives` are those of the validation split; `pooled` tells that they were too few, so that all labels' rows
    together decided.
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
    def fit(cls, votes: Votes, targets: np.ndarray, minimum_positives: int) -> Self:
        """Fit on a validation split; labels are calibrated on cross-fitted sums of the votes.

        Args:
            votes: log-odds `(rows, labels)` by voter.
            targets: `(rows, labels)` of 0 and 1.
            minimum_positives: a label with fewer positive or fewer negative rows takes the pooled calibration.
        """
        sums = cross_fitted(votes, targets, minimum_positives)
        pooled = _fit_label(sums.ravel(), targets.ravel(), pooled=True)
        labels = []
        for column, truth in zip(sums.T, targets.T, strict=True):
            positives = int(truth.sum())
            found = pooled
            if min(positives, len(truth) - positives) >= minimum_positives:
                own = _fit_label(column, truth, pooled=False)
                found = own if own.slope > 0 else pooled  # a falling scale would turn the ranking round
            labels.append(LabelCalibration(**{**asdict(found), "positives": positives}))
        return cls(VoteScales.fit(votes, targets, minimum_positives), tuple(labels))

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


def _fit_label(sums: np.ndarray, truth: np.ndarray, pooled: bool) -> LabelCalibration:
    slope, intercept = fit_platt(sums, truth)
    if pooled and slope <= 0:
        slope, intercept = 1.0, 0.0
    threshold = best_f1_threshold(truth, _probabilities(sums, np.array(slope), np.array(intercept)))
    return LabelCalibration(slope, intercept, threshold, int(truth.sum()), pooled)


def _probabilities(sums: np.ndarray, slopes: np.ndarray, intercepts: np.ndarray) -> NDArray[np.float32]:
    return np.asarray(expit(slopes * sums + intercepts), dtype=np.float32)
