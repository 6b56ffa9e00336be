"""Undecided more often than in validation: never on images like those, always where doubts have grown far enough."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from meteo_ray.calibration.undecided import LEAST_IMAGES, is_undecided, is_unlike, undecided_share

Shares = st.floats(0, 1)


def share(scores: np.ndarray) -> float | None:
    return undecided_share(int(is_undecided(scores).sum()), len(scores))


def scores(seed: int, images: int, surety: float) -> np.ndarray:
    """Of a gate whose log-odds are `surety` from zero on either side, with errors."""
    rng = np.random.default_rng(seed)
    return expit(surety * rng.choice([-1, 1], images) + rng.normal(0, 1.5, images))


def test_what_lies_between_the_bounds_is_undecided():
    assert is_undecided([0.0, 0.09, 0.1, 0.5, 0.89, 0.9, 1.0]).tolist() == [
        False,
        False,
        True,
        True,
        True,
        False,
        False,
    ]


@given(Shares, Shares)
def test_no_archive_is_unlike_that_is_decided_as_often(one, other):
    low, high = sorted((one, other))
    assert not is_unlike(low, high)
    assert not is_unlike(None, high)
    assert not is_unlike(high, None)


@pytest.mark.parametrize("seed", range(20))
def test_images_like_those_of_the_validation_pass_and_strange_ones_do_not(seed):
    known = share(scores(1000, 2000, surety=4))
    assert not is_unlike(share(scores(seed, 300, surety=4)), known)
    assert is_unlike(share(scores(seed, 300, surety=1)), known)


def test_a_few_images_tell_nothing():
    doubts = np.full(LEAST_IMAGES, 0.5)
    assert (share(doubts), share(doubts[1:])) == (1.0, None)
