"""From votes to the gate's answer: is an image a weather chart, and how surely.

It needs no network, so that what is written on an image can be heard later, and elsewhere, than its pixels are seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from meteo_ray.batch import Batch
from meteo_ray.calibration.votes import Votes
from meteo_ray.gate.calibration import GateCalibration
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.text_voter import Page, TextVoter


@dataclass(frozen=True)
class GateVerdict:
    """`image` weighs what the pixels say; `with_text`, where there is a `text` voter, that and what is written.

    `threshold`, `min_recall` and `min_precision`, of which one may be given, replace the thresholds of best F1.
    """

    vocabulary: Vocabulary
    image: GateCalibration
    with_text: GateCalibration | None = None
    text: TextVoter | None = None
    threshold: float | None = None
    min_recall: float | None = None
    min_precision: float | None = None

    @property
    def voters(self) -> tuple[str, ...]:
        """Who votes on the pixels, in the order in which their votes travel."""
        return tuple(self.image.scales.voters)

    @property
    def reads_text(self) -> bool:
        """Whether what is written changes its answers."""
        return self.text is not None and self.with_text is not None

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

    def __call__(self, votes: Votes, pages: Sequence[Page | None]) -> Batch:
        """Decide on the votes of images, and on what is written on them where it was read and a text voter is there.

        Args:
            votes: `(rows, 1)` by voter.
            pages: one an image, None where its text was not read.

        Returns:
            is_meteo (bool) and gate_score (float32, the calibrated probability), each `(rows,)`.
        """
        scores, thresholds = self.image.probabilities(votes), np.full(len(pages), self.threshold_in_force(False))
        read = [row for row, page in enumerate(pages) if page is not None]
        if read and self.text is not None and self.with_text is not None:
            written = self.text.votes([page for page in pages if page is not None], self.vocabulary)
            scores[read] = self.with_text.probabilities({name: of[read] for name, of in votes.items()} | written)
            thresholds[read] = self.threshold_in_force(True)
        return {"is_meteo": scores.astype(np.float64) >= thresholds, "gate_score": scores}
