"""Scores of forecasts of numbers: against formulas, and what they must reward."""

from dataclasses import asdict

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from meteo_ray.metrics.block_bootstrap import paired_skill, shown
from meteo_ray.metrics.quantile_scores import coverage, crps, pinball, probability_above

LEVELS = tuple((np.arange(10) + 0.5) / 10)


def test_the_pinball_loss_by_hand():
    found = pinball(np.array([3.0, 1.0]), np.array([[1.0], [2.0]]), (0.9,))
    np.testing.assert_allclose(found[:, 0], [0.9 * 2, 0.1 * 1])


def test_the_crps_comes_near_that_of_a_normal_distribution():
    levels = tuple((np.arange(500) + 0.5) / 500)
    for target in (-1.3, 0.0, 2.1):
        integral = quad(lambda x, t=target: (norm.cdf(x) - (x >= t)) ** 2, -9, 9, points=[target])[0]
        found = crps(np.array([target]), norm.ppf(levels)[None], levels)[0]
        assert found == pytest.approx(integral, abs=2e-3)


def test_of_a_sure_forecast_the_crps_is_the_absolute_error():
    sure = np.full((1, len(LEVELS)), 2.0)
    np.testing.assert_allclose(crps(np.array([5.0]), sure, LEVELS), [3.0])


def test_a_reliable_forecast_covers_what_it_promises():
    rng = np.random.default_rng(0)
    targets = rng.normal(size=20_000)
    targets[::7] = np.nan
    quantiles = np.tile(norm.ppf(LEVELS), (20_000, 1))
    for entry in coverage(targets, quantiles, LEVELS):
        assert entry["observed"] == pytest.approx(entry["level"], abs=0.015)


def test_the_chance_of_rain_is_read_between_the_quantiles():
    quantiles = np.array([norm.ppf(LEVELS, loc=1), np.full(10, 5.0), np.full(10, 0.0)])
    found = probability_above(1.0, quantiles, LEVELS)
    assert found[0] == pytest.approx(0.5, abs=0.01)
    assert found[1:].tolist() == pytest.approx([1, 0], abs=0.06)


def test_paired_skill_of_equal_and_of_better_forecasts():
    rng = np.random.default_rng(1)
    common = rng.gamma(2, size=400)
    same = paired_skill(common, common)
    assert (same.skill, same.low, same.high) == (0, 0, 0)
    better = paired_skill(common * 0.9 + 0.02 * rng.normal(size=400), common)
    assert better.low < better.skill < better.high
    assert better.low > 0.05
    worse = paired_skill(common, common * 0.9)
    assert worse.high < 0


def test_pairing_is_what_makes_a_small_gain_visible():
    """A gain of 5 % in losses that vary by more than a half from day to day."""
    rng = np.random.default_rng(2)
    rival = rng.gamma(1, size=300)
    assert paired_skill(0.95 * rival, rival).low > 0
    apart = paired_skill(0.95 * rng.permutation(rival), rival)
    assert apart.low < 0


def test_blocks_widen_the_interval_where_neighbours_go_together():
    rng = np.random.default_rng(3)
    slow = np.repeat(rng.normal(size=60), 10)
    losses, rival = 1 + 0.2 * slow, np.ones(600)
    alone, blocks = paired_skill(losses, rival, block=1), paired_skill(losses, rival, block=10)
    assert blocks.high - blocks.low > 2 * (alone.high - alone.low)


def test_days_that_one_of_them_lacks_are_left_out():
    losses, rival = np.array([1.0, np.nan, 1.0]), np.array([2.0, 0.1, np.nan])
    found = paired_skill(losses, rival)
    assert (found.skill, found.days) == (0.5, 1)
    assert paired_skill(np.full(3, np.nan), rival) is None


@pytest.mark.parametrize("days", [1, 4, 10, 19])
def test_less_than_two_blocks_give_a_skill_and_no_interval(days):
    rng = np.random.default_rng(4)
    found = paired_skill(rng.gamma(2, size=days), rng.gamma(2, size=days), block=10)
    assert np.isfinite(found.skill)
    assert (found.low, found.high, found.days) == (None, None, days)
    assert shown(asdict(found)).endswith("% [too few]")
    whole = paired_skill(rng.gamma(2, size=20), rng.gamma(2, size=20), block=10)
    assert whole.low < whole.high


def test_a_skill_as_text():
    assert shown({"skill": 0.019, "low": -0.008, "high": 0.052}) == "+1.9 % [-0.8, +5.2]"
    assert shown({"skill": 0.019, "low": -0.008, "high": 0.052}, 0) == "+2 % [-1, +5]"
    assert shown(None) == ""
