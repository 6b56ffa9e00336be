"""What the stages' verdicts share: from votes to an answer, with what is written on an image or without.

A verdict needs no network, so that text can be heard later, and elsewhere, than the pixels are seen.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from meteo_ray.calibration.votes import VoterGroup, Votes, VoteScales
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.held_out_text import HeldOutText
from meteo_ray.voters.text_voter import Page, TextVoter

logger = logging.getLogger("meteo_ray")


class Calibration(Protocol):
    """From the votes of a stage's voters to calibrated scores."""

    @property
    def scales(self) -> VoteScales:
        """Of every voter that it hears."""
        ...

    def scores(self, votes: Votes) -> NDArray[np.float32]:
        """Probabilities `(rows,)` or `(rows, questions)` of votes `(rows, questions)` by voter."""
        ...


C = TypeVar("C", bound=Calibration)


@dataclass(frozen=True)
class VotedVerdict(Generic[C]):
    """`image` weighs what the pixels say; `with_text`, where there is a `text` voter, that and what is written."""

    vocabulary: Vocabulary
    image: C
    with_text: C | None = None
    text: TextVoter | None = None

    @classmethod
    def fit(
        cls,
        vocabulary: Vocabulary,
        votes: Votes,
        targets: np.ndarray,
        calibrate: Callable[[Sequence[VoterGroup], np.ndarray], C],
        written: HeldOutText | None,
    ) -> Self:
        """Calibrate on a validation split, twice where text votes: with its votes on the rows that have them.

        What a source's charts have written on them is foreign to those of another, and a validation split holds few
        sources. So how far text can be trusted is told by training pages too, each judged by models that had not seen
        its source, where a stage asked for that; and pixels and text come as groups apart, for `calibrate` to add up or
        to weigh against each other.

        Args:
            votes: `(rows, questions)` by voter; those of the text voter are NaN where nothing was read.
            targets: of 0 and 1, a row each.
            calibrate: groups of voters and targets -> calibration.
            written: the text voter, if there is one, and how it did on pages of unseen sources.
        """
        image = calibrate([VoterGroup(on_pixels(votes))], targets)
        if written is None:
            return cls(vocabulary, image)
        read = asked(votes[TextVoter.VOTES[0]])
        if targets[read].all() or not targets[read].any():
            logger.warning("text will not be heard: of validation images of either answer none was read")
            return cls(vocabulary, image)
        text = VoterGroup(on_text(taken(votes, read)), written.votes, written.targets)
        groups = [VoterGroup(on_pixels(taken(votes, read))), text]
        return cls(vocabulary, image, calibrate(groups, targets[read]), written.voter)

    @property
    def voters(self) -> tuple[str, ...]:
        """Who votes on the pixels, in the order in which their votes travel."""
        return tuple(self.image.scales.voters)

    @property
    def reads_text(self) -> bool:
        """Whether what is written changes its answers."""
        return self.text is not None and self.with_text is not None

    def heard(self, votes: Votes, pages: Sequence[Page | None]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Scores, and on which rows text was heard, bool `(rows,)`.

        Args:
            votes: on the pixels, `(rows, questions)` by voter.
            pages: one an image, None where its text was not read.
        """
        scores, read = self.image.scores(votes), self.hears(pages)
        if self.with_text is not None and read.any():
            scores[read] = self.with_text.scores(taken({**votes, **self._on_pages(pages)}, read))
        return scores, read

    def hears(self, pages: Sequence[Page | None]) -> NDArray[np.bool_]:
        """On which images, bool `(rows,)`, what is written changes the answer."""
        return np.array([page is not None and self.reads_text for page in pages], dtype=bool)

    def voices(self, votes: Votes, pages: Sequence[Page | None]) -> dict[str, NDArray[np.float64]]:
        """What each voter says alone: calibrated log-odds `(rows, questions)` by its name, NaN where it was not asked.

        Arguments as those of `heard`.
        """
        found = {name: scale.log_odds(votes[name]) for name, scale in self.image.scales.voters.items()}
        if self.with_text is None or self.text is None:
            return found
        if not self.hears(pages).any():
            return found
        scales = self.with_text.scales.voters
        return found | {name: scales[name].log_odds(values) for name, values in self._on_pages(pages).items()}

    def _on_pages(self, pages: Sequence[Page | None]) -> dict[str, NDArray[np.float32]]:
        assert self.text is not None
        return self.text.votes_where_read(pages, self.vocabulary)

    def measured(
        self, votes: Votes, targets: np.ndarray, judge: Callable[[C, Votes, np.ndarray], dict[str, Any]], watch: str
    ) -> dict[str, Any]:
        """What `judge` finds of all voters where all were asked, and as image_<watch> of those on the pixels alone."""
        found = judge(self.image, on_pixels(votes), targets)
        if self.with_text is None:
            return found
        read = asked(votes[TextVoter.VOTES[0]])
        return {**judge(self.with_text, taken(votes, read), targets[read]), f"image_{watch}": found[watch]}


def alone(
    votes: Votes, targets: np.ndarray, measure: Callable[[np.ndarray, np.ndarray], float | None], watch: str
) -> dict[str, float | None]:
    """What `measure(targets, votes)` finds of each voter where it was asked, as <voter>_<watch>; empty if alone."""
    if len(votes) < 2:
        return {}
    return {f"{name}_{watch}": measure(targets[asked(values)], values[asked(values)]) for name, values in votes.items()}


def on_pixels(votes: Votes) -> dict[str, np.ndarray]:
    """Without those on what is written."""
    return {name: values for name, values in votes.items() if name not in TextVoter.VOTES}


def on_text(votes: Votes) -> dict[str, np.ndarray]:
    """Those on what is written."""
    return {name: values for name, values in votes.items() if name in TextVoter.VOTES}


def asked(values: np.ndarray) -> NDArray[np.bool_]:
    """Which rows `(rows,)` of votes `(rows, questions)` hold an answer."""
    found: NDArray[np.bool_] = ~np.isnan(values).any(axis=1)
    return found


def taken(votes: Votes, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The votes of some rows, bool `(rows,)` or positions."""
    return {name: values[rows] for name, values in votes.items()}
