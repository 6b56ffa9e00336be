"""From the two heads' raw outputs to one calibrated score a label, and from scores to decisions (R25, R40)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from meteo_ray.calibration.probabilities import fit_platt
from meteo_ray.calibration.thresholds import best_f1_threshold
from meteo_ray.metrics.multilabel import multilabel_metrics

# Shares of the sequence head that are tried; finer steps would only follow the noise of a validation split.
BLENDS = np.linspace(0, 1, 11)

# Keeps the logit of a blended probability finite: 1e-6 is below what any validation split can tell from 0.
EDGE = 1e-6


@dataclass(frozen=True)
class LabelCalibration:
    """One label's Platt scaling `sigmoid(slope * logit(score) + intercept)` and threshold of the result.

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
    """How much the sequence head counts, and every label's calibration in vocabulary order."""

    blend: float
    labels: tuple[LabelCalibration, ...]

    @classmethod
    def fit(cls, parallel: np.ndarray, emitted: np.ndarray, targets: np.ndarray, minimum_positives: int) -> Self:
        """Fit on a validation split.

        Args:
            parallel: logits of the parallel head, `(rows, labels)`.
            emitted: probabilities of the sequence head, `(rows, labels)`.
            targets: `(rows, labels)` of 0 and 1.
            minimum_positives: a label with fewer positive or fewer negative rows takes the pooled calibration.
        """
        blend = best_blend(parallel, emitted, targets)
        logits = _blended_logits(parallel, emitted, blend)
        pooled = _fit_label(logits.ravel(), targets.ravel(), pooled=True)
        labels = []
        for column, truth in zip(logits.T, targets.T, strict=True):
            positives = int(truth.sum())
            found = pooled
            if min(positives, len(truth) - positives) >= minimum_positives:
                own = _fit_label(column, truth, pooled=False)
                found = own if own.slope > 0 else pooled  # a falling scale would turn the ranking round
            labels.append(LabelCalibration(**{**asdict(found), "positives": positives}))
        return cls(blend, tuple(labels))

    @property
    def thresholds(self) -> NDArray[np.float64]:
        """`(labels,)`; a label is shown when its score is at or above its threshold."""
        return np.array([label.threshold for label in self.labels])

    def scores(self, parallel: np.ndarray, emitted: np.ndarray) -> NDArray[np.float32]:
        """Calibrated probabilities `(rows, labels)`; rounded to float32 here, so that thresholds see what users see."""
        slopes = np.array([label.slope for label in self.labels])
        intercepts = np.array([label.intercept for label in self.labels])
        return _probabilities(_blended_logits(parallel, emitted, self.blend), slopes, intercepts)

    def to_json(self, names: Sequence[str]) -> dict[str, Any]:
        """A document that people can read: every label's entry under its name."""
        entries = {name: asdict(label) for name, label in zip(names, self.labels, strict=True)}
        return {"blend": self.blend, "labels": entries}

    @classmethod
    def from_json(cls, document: dict[str, Any], names: Sequence[str]) -> Self:
        """Raises KeyError or TypeError when the document lacks a label or a value."""
        return cls(float(document["blend"]), tuple(LabelCalibration(**document["labels"][name]) for name in names))


def best_blend(parallel: np.ndarray, emitted: np.ndarray, targets: np.ndarray) -> float:
    """The share of the sequence head that gives the best mAP; among equals the nearest to one half."""
    names = [str(label) for label in range(targets.shape[1])]
    thresholds = np.full(len(names), 0.5)
    found = [
        multilabel_metrics(targets, blended(parallel, emitted, blend), thresholds, names)["map"] or 0.0
        for blend in BLENDS
    ]
    best = BLENDS[np.isclose(found, max(found), rtol=0, atol=1e-9)]
    return float(best[np.argmin(np.abs(best - 0.5))])


def blended(parallel: np.ndarray, emitted: np.ndarray, blend: float) -> NDArray[np.float64]:
    """`(1 - blend) * sigmoid(parallel) + blend * emitted`, `(rows, labels)`."""
    return (1 - blend) * expit(np.asarray(parallel, np.float64)) + blend * np.asarray(emitted, np.float64)


def _blended_logits(parallel: np.ndarray, emitted: np.ndarray, blend: float) -> NDArray[np.float64]:
    return np.asarray(logit(np.clip(blended(parallel, emitted, blend), EDGE, 1 - EDGE)))


def _fit_label(logits: np.ndarray, truth: np.ndarray, pooled: bool) -> LabelCalibration:
    slope, intercept = fit_platt(logits, truth)
    if pooled and slope <= 0:
        slope, intercept = 1.0, 0.0
    threshold = best_f1_threshold(truth, _probabilities(logits, np.array(slope), np.array(intercept)))
    return LabelCalibration(slope, intercept, threshold, int(truth.sum()), pooled)


def _probabilities(logits: np.ndarray, slopes: np.ndarray, intercepts: np.ndarray) -> NDArray[np.float32]:
    return np.asarray(expit(slopes * logits + intercepts), dtype=np.float32)
