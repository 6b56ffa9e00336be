"""The arithmetic behind every figure of `make bench`."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.speed.arithmetic import Line, exponent, interval, line, marginal_costs

POSITIVE = st.floats(0.01, 100)


@given(st.lists(POSITIVE, min_size=1, max_size=20))
def test_an_interval_holds_its_median_and_stays_within_its_values(values):
    found = interval(values)
    assert min(values) <= found.low <= found.median <= found.high <= max(values)
    assert found.median == pytest.approx(np.median(values))
    assert found.blocks == len(values)


def test_an_interval_covers_the_true_median_about_as_often_as_it_says():
    """Of 200 experiments of 15 blocks; the percentile bootstrap of a median covers 0.9 to 0.97 at this size."""
    rng = np.random.default_rng(3)
    found = [interval(np.exp(rng.normal(1.0, 0.2, 15)).tolist(), seed) for seed in range(200)]
    covered = np.mean([each.low <= math.e <= each.high for each in found])
    assert 0.88 <= covered <= 0.99


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_an_interval_of_nothing_is_refused(values):
    with pytest.raises(ValueError, match="finite"):
        interval(values)


@given(POSITIVE, POSITIVE)
def test_a_line_is_found_again_and_says_how_long_a_run_must_be(fixed, each):
    counts = [100, 200, 400, 800]
    found = line(counts, [fixed + each * count for count in counts])
    assert found.fixed == pytest.approx(fixed, rel=1e-6, abs=1e-6)
    assert found.each == pytest.approx(each, rel=1e-9)
    images = Line(fixed, each).images_until_fixed_is(0.05)
    assert fixed / (fixed + each * images) == pytest.approx(0.05)


def test_a_line_without_growth_never_outgrows_its_start():
    assert Line(3.0, 0.0).images_until_fixed_is(0.05) == math.inf
    with pytest.raises(ValueError, match="two different"):
        line([5, 5], [1.0, 2.0])


@given(st.floats(-1, 3), POSITIVE)
def test_an_exponent_is_found_again(power, factor):
    sizes = [10.0, 40.0, 90.0]
    assert exponent(sizes, [factor * size**power for size in sizes]) == pytest.approx(power, abs=1e-6)


def test_marginal_costs_leave_the_fixed_seconds_out():
    counts, seconds = [400, 100, 200], [14.0, 11.0, 12.0]
    more, taken = marginal_costs(counts, seconds)
    assert (more, taken) == ([300, 100], [3.0, 1.0])
    assert exponent(more, taken) == pytest.approx(1.0)
    assert exponent(counts, seconds) < 0.2
