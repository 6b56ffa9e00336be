"""From votes to the gate's answer: is an image a weather chart, and how surely."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from meteo_ray.batch import Batch
from meteo_ray.calibration.votes import Votes
from meteo_ray.gate.calibration import GateCalibration
from meteo_ray.voters.text_voter import Page
from meteo_ray.voters.verdict import VotedVerdict


@dataclass(frozen=True)
class GateVerdict(VotedVerdict[GateCalibration]):
    """`threshold`, `min_recall` and `min_precision`, of which one may be given, replace the thresholds of best F1."""

    threshold: float | None = None
    min_recall: float | None = None
    min_precision: float | None = None

    def asked_for(self, threshold: float | None, min_recall: float | None, min_precision: float | None) -> Self:
        """With another operating point. Raises UsageError when it was not fitted or not reached."""
        asked = replace(self, threshold=threshold, min_recall=min_recall, min_precision=min_precision)
        for read in (False, True):
            asked.threshold_in_force(read)
        return asked

    def threshold_in_force(self, read: bool) -> float:
        """Of images whose text was `read`, or was not."""
        calibration = self.with_text if read and self.with_text is not None else self.image
        return calibration.operating_point(self.threshold, self.min_recall, self.min_precision)

    def thresholds(self, heard: np.ndarray) -> NDArray[np.float64]:
        """In force on each image, `(rows,)`, by whether its text was heard, bool `(rows,)`."""
        return np.where(heard, self.threshold_in_force(True), self.threshold_in_force(False))

    def __call__(self, votes: Votes, pages: Sequence[Page | None]) -> Batch:
        """Decide on votes `(rows, 1)` by voter, and on one page an image, None where its text was not read.

        Returns:
            is_meteo (bool) and gate_score (float32, the calibrated probability), each `(rows,)`.
        """
        scores, read = self.heard(votes, pages)
        return {"is_meteo": scores.astype(np.float64) >= self.thresholds(read), "gate_score": scores}
