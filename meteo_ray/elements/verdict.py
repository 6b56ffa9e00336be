"""From votes to the element stage's answer: which elements a chart shows, and how surely.

It needs no network, so that what is written on a chart can be heard later, and elsewhere, than its pixels are seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meteo_ray.batch import Batch, objects
from meteo_ray.calibration.votes import Votes
from meteo_ray.elements.calibration import ElementsCalibration
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.text_voter import Page, TextVoter


@dataclass(frozen=True)
class ElementsVerdict:
    """`image` weighs what the pixels say; `with_text`, where there is a `text` voter, that and what is written."""

    vocabulary: Vocabulary
    image: ElementsCalibration
    with_text: ElementsCalibration | None = None
    text: TextVoter | None = None
    threshold_scale: float = 1.0

    @property
    def voters(self) -> tuple[str, ...]:
        """Who votes on the pixels, in the order in which their votes travel."""
        return tuple(self.image.scales.voters)

    @property
    def reads_text(self) -> bool:
        """Whether what is written changes its answers."""
        return self.text is not None and self.with_text is not None

    def __call__(self, votes: Votes, pages: Sequence[Page | None]) -> Batch:
        """Decide on the votes of images, and on what is written on them where it was read and a text voter is there.

        Args:
            votes: `(rows, labels)` by voter.
            pages: one an image, None where its text was not read.

        Returns:
            elements: lists of {"id", "score"} at or above the label's threshold, best first;
            element_scores: float32 `(rows, labels)`, calibrated probabilities in vocabulary order;
            element_thresholds: float64 `(rows, labels)`, those in force for each row.
        """
        scores, thresholds = self.image.scores(votes), np.tile(self.image.thresholds, (len(pages), 1))
        read = [row for row, page in enumerate(pages) if page is not None]
        if read and self.text is not None and self.with_text is not None:
            written = self.text.votes([page for page in pages if page is not None], self.vocabulary)
            scores[read] = self.with_text.scores({name: values[read] for name, values in votes.items()} | written)
            thresholds[read] = self.with_text.thresholds
        thresholds = np.minimum(thresholds * self.threshold_scale, 1.0)
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
