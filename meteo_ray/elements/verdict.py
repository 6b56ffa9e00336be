"""From votes to the element stage's answer: which elements a chart shows, and how surely."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meteo_ray.batch import Batch, objects
from meteo_ray.calibration.votes import Votes
from meteo_ray.elements.calibration import ElementsCalibration
from meteo_ray.voters.text_voter import Page
from meteo_ray.voters.verdict import VotedVerdict


@dataclass(frozen=True)
class ElementsVerdict(VotedVerdict[ElementsCalibration]):
    """`threshold_scale` multiplies every label's threshold: below 1 more elements are shown, above 1 fewer."""

    threshold_scale: float = 1.0

    def thresholds_in_force(self, read: bool) -> NDArray[np.float64]:
        """Every label's threshold `(labels,)` for charts whose text was `read`, or was not."""
        calibration = self.with_text if read and self.with_text is not None else self.image
        return np.minimum(calibration.thresholds * self.threshold_scale, 1.0)

    def __call__(self, votes: Votes, pages: Sequence[Page | None]) -> Batch:
        """Decide on votes `(rows, labels)` by voter, and on one page an image, None where its text was not read.

        Returns:
            elements: lists of {"id", "score"} at or above the label's threshold, best first;
            element_scores: float32 `(rows, labels)`, calibrated probabilities in vocabulary order;
            element_thresholds: float64 `(rows, labels)`, those in force for each row.
        """
        scores, read = self.heard(votes, pages)
        thresholds = np.where(read[:, None], self.thresholds_in_force(True), self.thresholds_in_force(False))
        shown = scores.astype(np.float64) >= thresholds
        return {
            "elements": objects([self._named(*row) for row in zip(scores, shown, strict=True)]),
            "element_scores": scores,
            "element_thresholds": thresholds,
        }

    def _named(self, scores: NDArray[np.float32], shown: NDArray[np.bool_]) -> list[dict[str, Any]]:
        labels = np.flatnonzero(shown)
        best_first = labels[np.argsort(-scores[labels], kind="stable")]
        return [{"id": self.vocabulary.element_ids[label], "score": float(scores[label])} for label in best_first]
