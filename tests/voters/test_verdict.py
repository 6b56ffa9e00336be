"""What the stages' verdicts share: votes on the pixels, with what is written or without."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pytest

from meteo_ray.calibration.votes import VoteScales
from meteo_ray.vocabulary import load_vocabulary
from meteo_ray.voters.held_out_text import HeldOutText
from meteo_ray.voters.text_voter import Page, TextVoter
from meteo_ray.voters.verdict import VotedVerdict, alone

VOCABULARY = load_vocabulary()
READ, UNREAD = slice(0, 60), slice(60, 80)


@dataclass(frozen=True)
class Sum:
    """The plainest calibration: the votes' sum as it is."""

    scales: VoteScales

    @classmethod
    def fit(cls, groups, targets) -> Self:
        return cls(VoteScales.of_groups(groups, targets[:, None]))

    def scores(self, votes) -> np.ndarray:
        return self.scales.log_odds(votes)[:, 0].astype(np.float32)


@pytest.fixture(scope="module")
def split():
    """Eighty images whose title alone tells the answer; twenty were not read."""
    rng = np.random.default_rng(0)
    targets = np.arange(80) % 2 == 0
    pages = [Page("wind", "wind") if yes else Page("cat", "cat") for yes in targets]
    voter = TextVoter.fit(pages, targets[:, None], np.ones(80), VOCABULARY)
    votes = {"network": rng.normal(targets[:, None] * 0.5, 1.0)}
    written = {name: values.astype(np.float64) for name, values in voter.votes(pages, VOCABULARY).items()}
    for values in written.values():
        values[UNREAD] = np.nan
    pages[UNREAD] = [None] * 20
    return votes, written, targets, pages, voter


def fitted(split) -> VotedVerdict[Sum]:
    votes, written, targets, _, voter = split
    return VotedVerdict.fit(VOCABULARY, {**votes, **written}, targets, Sum.fit, known(voter))


def known(voter: TextVoter) -> HeldOutText:
    """A voter that was asked of no pages but those of validation."""
    return HeldOutText(voter, {name: np.zeros((0, 1)) for name in TextVoter.VOTES}, np.zeros((0, 1), bool))


def test_text_is_heard_where_it_was_read(split):
    votes, _, targets, pages, _ = split
    verdict = fitted(split)
    scores, read = verdict.heard(votes, pages)
    assert read[READ].all()
    assert not read[UNREAD].any()
    np.testing.assert_array_equal(scores[READ] > 0, targets[READ])
    np.testing.assert_array_equal(scores[UNREAD], verdict.image.scores(votes)[UNREAD])
    assert verdict.voters == ("network",)


def test_every_voter_speaks_for_itself(split):
    votes, written, _, pages, _ = split
    found = fitted(split).voices(votes, pages)
    assert set(found) == {"network", *written}
    assert np.isfinite(found["network"]).all()
    assert np.isfinite(found["words"][READ]).all()
    assert np.isnan(found["words"][UNREAD]).all()


def test_text_that_was_read_for_one_answer_only_is_not_heard(split, caplog):
    votes, written, targets, pages, voter = split
    some = {name: np.where(targets[:, None], values, np.nan) for name, values in written.items()}
    verdict = VotedVerdict.fit(VOCABULARY, {**votes, **some}, targets, Sum.fit, known(voter))
    assert not verdict.reads_text
    assert "text will not be heard" in caplog.text
    np.testing.assert_array_equal(verdict.heard(votes, pages)[1], False)


def test_measures_with_text_and_without(split):
    votes, written, targets, _, _ = split
    every = {**votes, **written}

    def judge(calibration, votes, truth):
        return {"right": float(((calibration.scores(votes) > 0) == truth).mean())}

    found = fitted(split).measured(every, targets, judge, "right")
    assert found["right"] == 1
    assert found["image_right"] < 1
    counts = alone(every, targets, lambda truth, _: float(len(truth)), "rows")
    assert counts == {"network_rows": 80, "words_rows": 60, "names_rows": 60}
    assert alone(votes, targets, lambda truth, _: 0.0, "rows") == {}
