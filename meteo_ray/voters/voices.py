"""What each of a verdict's voters says alone."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from meteo_ray.calibration.votes import Votes, VoteScales
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.text_voter import Page, TextVoter


class Scaled(Protocol):
    """A calibration, of which the voters' scales alone are asked here."""

    @property
    def scales(self) -> VoteScales: ...


class Voiced(Protocol):
    """A verdict on votes, with text or without."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def image(self) -> Scaled: ...

    @property
    def with_text(self) -> Scaled | None: ...

    @property
    def text(self) -> TextVoter | None: ...


def voices(verdict: Voiced, votes: Votes, pages: Sequence[Page | None]) -> dict[str, NDArray[np.float64]]:
    """Calibrated log-odds `(rows, questions)` by voter, NaN where it was not asked.

    Args:
        votes: on the pixels, `(rows, questions)` by voter.
        pages: one an image, None where its text was not read.
    """
    found = {name: scale.log_odds(votes[name]) for name, scale in verdict.image.scales.voters.items()}
    read = np.array([page is not None for page in pages], dtype=bool)
    if verdict.with_text is None or verdict.text is None or not read.any():
        return found
    written = verdict.text.votes([page for page in pages if page is not None], verdict.vocabulary)
    for name, values in written.items():
        found[name] = np.full((len(pages), values.shape[1]), np.nan)
        found[name][read] = verdict.with_text.scales.voters[name].log_odds(values)
    return found
