"""Drawing orders: the distribution of torch's sampler, and batches of similar length (R12, R28)."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch.utils.data import WeightedRandomSampler

from meteo_ray.streaming.sampling import group_by_length, weighted_order

WEIGHTS = st.lists(st.floats(0.1, 10), min_size=2, max_size=8)


@given(WEIGHTS, st.integers(0, 2**32 - 1))
def test_draws_follow_the_weights(weights: list[float], seed: int) -> None:
    drawn = weighted_order(np.array(weights), 4000, np.random.default_rng(seed))
    expected = 4000 * np.array(weights) / sum(weights)
    # With 100 examples of a run, 1e-7 leaves one false alarm in 100,000 runs.
    assert chisquare(np.bincount(drawn, minlength=len(weights)), expected).pvalue > 1e-7


def test_it_is_the_distribution_of_torchs_weighted_random_sampler() -> None:
    weights = [0.5, 0.0, 3.0, 1.5, 5.0]
    sampler = WeightedRandomSampler(weights, 20_000, generator=torch.Generator().manual_seed(1))
    theirs = np.bincount(list(sampler), minlength=5)
    ours = np.bincount(weighted_order(np.array(weights), 20_000, np.random.default_rng(1)), minlength=5)
    assert ours[1] == theirs[1] == 0
    # The standard deviation of a share of 20,000 draws is at most sqrt(0.25 / 20,000) = 0.0035; of a difference 0.005.
    np.testing.assert_allclose(ours / 20_000, theirs / 20_000, atol=5 * 0.005)


def test_an_order_is_a_function_of_its_seed() -> None:
    weights = np.arange(1.0, 9.0)
    orders = [weighted_order(weights, 50, np.random.default_rng([0, epoch])) for epoch in (3, 3, 4)]
    assert orders[0].dtype == np.int64
    np.testing.assert_array_equal(orders[0], orders[1])
    assert (orders[0] != orders[2]).any()


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -0.1], [1.0, np.nan], [np.inf, 1.0], []])
def test_weights_that_mean_nothing_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights must be"):
        weighted_order(np.array(weights), 3, np.random.default_rng(0))


@given(st.lists(st.integers(0, 9), max_size=400), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_grouping_by_length_keeps_every_draw(lengths: list[int], batch_size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    order = rng.integers(0, max(len(lengths), 1), len(lengths))
    grouped = group_by_length(order, np.array(lengths, dtype=np.int64), batch_size, rng)
    assert sorted(grouped.tolist()) == sorted(order.tolist())


def test_batches_hold_similar_lengths_in_mixed_order() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 11, 1600)
    grouped = group_by_length(rng.permutation(1600), lengths, 32, rng)
    batches = lengths[grouped].reshape(50, 32)
    assert np.ptp(batches, axis=1).max() <= 2
    means = batches.mean(axis=1)
    assert (np.diff(means) < 0).any()
    assert (np.diff(means) > 0).any()
    padding = (batches.max(axis=1, keepdims=True) - batches).sum()
    assert padding < 0.1 * (lengths[rng.permutation(1600)].reshape(50, 32).max(axis=1)[:, None] - batches).sum()


def test_a_short_last_batch_stays_last() -> None:
    grouped = group_by_length(np.arange(10), np.arange(10), 4, np.random.default_rng(0))
    assert grouped[8:].tolist() == [8, 9]
