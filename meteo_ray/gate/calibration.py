"""From the voters' raw scores to one calibrated probability, and from that to a decision (R13, R40)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from meteo_ray.calibration.probabilities import fit_temperature
from meteo_ray.calibration.thresholds import best_f1_threshold, threshold_for_precision, threshold_for_recall
from meteo_ray.calibration.votes import VoterGroup, Votes, VoteScales, cross_fitted
from meteo_ray.errors import UsageError

logger = logging.getLogger("meteo_ray")

# Recalls and precisions that an archive owner may ask for by name instead of the threshold of best F1.
OPERATING_POINTS = (0.9, 0.95, 0.98, 0.99, 0.995)

# With fewer validation images of either answer a recall of 0.9 is known to 0.07 at best (its standard error), and the
# threshold hangs on two or three of them: chosen by 22, it let street signs through.
FEW = 20

# The name of the network among the voters.
NETWORK = "network"


@dataclass(frozen=True)
class GateCalibration:
    """The voters' scales, the temperature of their sum and thresholds, fitted on the validation split.

    `for_recall` and `for_precision` map a wanted share, as text, to its threshold, or to None where none reaches it.
    Thresholds are of the calibrated probability.
    """

    scales: VoteScales
    temperature: float
    threshold: float
    for_recall: dict[str, float | None] = field(default_factory=dict)
    for_precision: dict[str, float | None] = field(default_factory=dict)
    validation_positives: int = 0
    validation_negatives: int = 0

    @classmethod
    def fit(cls, groups: Sequence[VoterGroup], targets: np.ndarray) -> Self:
        """Fit on votes `(rows, 1)` by voter and targets `(rows,)` of 0 and 1 (R13, R40); see `calibration.votes`."""
        questions = targets[:, None]
        sums = cross_fitted(groups, questions)[:, 0]
        temperature = fit_temperature(sums, targets)
        scores = _probabilities(sums, temperature)
        return cls(
            scales=VoteScales.of_groups(groups, questions),
            temperature=temperature,
            threshold=best_f1_threshold(targets, scores),
            for_recall={str(point): threshold_for_recall(targets, scores, point) for point in OPERATING_POINTS},
            for_precision={str(point): threshold_for_precision(targets, scores, point) for point in OPERATING_POINTS},
            validation_positives=int(targets.sum()),
            validation_negatives=int(len(targets) - targets.sum()),
        )

    def scores(self, votes: Votes) -> NDArray[np.float32]:
        """Calibrated probabilities `(rows,)`; rounded to float32 here, so that thresholds see what users see."""
        return _probabilities(self.scales.log_odds(votes)[:, 0], self.temperature)

    def tell_if_few(self) -> None:
        """A line in the log where the threshold rests on few images."""
        charts, others = self.validation_positives, self.validation_negatives
        if min(charts, others) < FEW:
            logger.warning(
                "gate: %d charts and %d other images of validation are too few to choose a threshold by (%d of each at "
                "least); label more, or compare with the models that come with the package before use",
                charts, others, FEW,
            )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "scales": self.scales.to_json()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Raises KeyError or TypeError when a value is missing."""
        return cls(**{**document, "scales": VoteScales.from_json(document["scales"])})

    def operating_point(self, threshold: float | None, min_recall: float | None, min_precision: float | None) -> float:
        """The threshold that the options ask for; that of best F1 when none is given.

        Raises:
            UsageError: more than one option, or a recall or precision that was not fitted or not reached.
        """
        given = [option for option in (threshold, min_recall, min_precision) if option is not None]
        if len(given) > 1:
            raise UsageError("the gate takes one of threshold, min_recall and min_precision, not several")
        if threshold is not None:
            return threshold
        if min_recall is not None:
            return _fitted(self.for_recall, min_recall, "min_recall")
        if min_precision is not None:
            return _fitted(self.for_precision, min_precision, "min_precision")
        return self.threshold


def _probabilities(logits: np.ndarray, temperature: float) -> NDArray[np.float32]:
    return np.asarray(expit(np.asarray(logits, dtype=np.float64) / temperature), dtype=np.float32)


def _fitted(points: dict[str, float | None], wanted: float, name: str) -> float:
    if str(wanted) not in points:
        raise UsageError(f"{name} {wanted}: the gate was calibrated for {', '.join(points)}; choose one of these")
    threshold = points[str(wanted)]
    if threshold is None:
        raise UsageError(f"{name} {wanted}: no threshold reached it on the validation split; choose a lower one")
    return threshold
