"""How often rows with rare labels are drawn, against the paper's formula row by row."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from meteo_ray.elements.repeat_factors import repeat_factors

SHOWN = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 1))
SHARES = st.floats(0, 1)


@given(SHOWN, SHARES)
def test_a_row_counts_by_its_rarest_label(shown, rare_share):
    found = repeat_factors(shown, np.ones(len(shown)), rare_share)
    assert found.dtype == np.float64
    for row, factor in zip(shown, found, strict=True):
        shares = [shown[:, label].mean() for label in np.flatnonzero(row)]
        assert factor == pytest.approx(max([1.0, *(math.sqrt(rare_share / share) for share in shares)]))


@given(SHOWN, SHARES, SHARES)
def test_more_is_rare_the_higher_the_share(shown, one, other):
    lower, higher = sorted((one, other))
    weights = np.ones(len(shown))
    assert (repeat_factors(shown, weights, lower) <= repeat_factors(shown, weights, higher)).all()


@given(SHOWN)
def test_nothing_changes_where_no_label_is_rare(shown):
    shares = shown.mean(axis=0)
    weights = np.ones(len(shown))
    for rare_share in (0.0, shares[shares > 0].min(initial=1.0)):
        np.testing.assert_allclose(repeat_factors(shown, weights, rare_share), 1.0, rtol=1e-12)


@given(SHOWN, SHARES, st.integers(0, 2**32 - 1))
def test_a_row_of_weight_two_is_as_good_as_two_rows(shown, rare_share, seed):
    times = np.random.default_rng(seed).integers(1, 4, len(shown))
    together = repeat_factors(shown, times.astype(np.float64), rare_share)
    apart = repeat_factors(np.repeat(shown, times, axis=0), np.ones(times.sum()), rare_share)
    np.testing.assert_allclose(np.repeat(together, times), apart, rtol=1e-12)


def test_a_label_of_a_quarter_of_the_share_is_drawn_twice_as_often():
    shown = np.zeros((100, 2), np.uint8)
    shown[:40, 0], shown[:5, 1] = 1, 1
    factors = repeat_factors(shown, np.ones(100), 0.2)
    assert factors[:5] == pytest.approx(2.0)
    assert (factors[5:] == 1.0).all()
