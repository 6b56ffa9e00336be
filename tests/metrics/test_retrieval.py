"""Expected average precision: against every order of ties, and against scikit-learn where there are none."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from meteo_ray.metrics.retrieval import (
    expected_average_precision,
    mean_expected_average_precision,
    without_itself,
)


def average_precision(relevant) -> float:
    """Of one order, by its definition."""
    hits, precisions = 0, []
    for place, hit in enumerate(relevant, start=1):
        hits += hit
        precisions += [hits / place] if hit else []
    return float(np.mean(precisions))


items = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=6)


@given(items)
def test_it_is_the_mean_over_all_orders_of_ties(drawn):
    distances, relevant = np.array(drawn).T
    if not relevant.any():
        assert expected_average_precision(distances, relevant) is None
        return
    # Every order of all items, sorted stably by distance, gives every order of the ties equally often.
    orders = [sorted(order, key=lambda item: distances[item]) for order in permutations(range(len(relevant)))]
    exact = np.mean([average_precision(relevant[order]) for order in orders])
    assert expected_average_precision(distances, relevant) == pytest.approx(exact, abs=1e-12)


def test_it_is_the_mean_over_random_orders_of_many_ties():
    rng = np.random.default_rng(0)
    distances, relevant = rng.integers(0, 5, 300), rng.integers(0, 2, 300)
    means = []
    for _ in range(2000):
        order = rng.permutation(300)
        means.append(average_precision(relevant[order[np.argsort(distances[order], kind="stable")]]))
    error = np.std(means) / np.sqrt(len(means))
    assert abs(expected_average_precision(distances, relevant) - np.mean(means)) < 5 * error


@given(st.lists(st.integers(0, 1), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_without_ties_it_is_scikit_learns(relevant, random):
    distances = random.sample(range(1000), len(relevant))
    if any(relevant):
        expected = average_precision_score(relevant, -np.array(distances))
        assert expected_average_precision(distances, relevant) == pytest.approx(expected, abs=1e-12)


def test_the_mean_leaves_out_queries_that_nothing_answers():
    distances = np.array([[0, 1, 2], [0, 1, 2], [2, 1, 0]])
    relevant = np.array([[1, 0, 0], [0, 0, 0], [1, 0, 0]])
    assert mean_expected_average_precision(distances, relevant) == pytest.approx((1 + 1 / 3) / 2)
    assert mean_expected_average_precision(distances[1:2], relevant[1:2]) is None


def test_what_is_no_ranking_is_refused():
    with pytest.raises(ValueError, match="0 or 1"):
        expected_average_precision([0, 1], [2, 0])
    with pytest.raises(ValueError, match="must be equal"):
        expected_average_precision([0, 1], [1])
    with pytest.raises(ValueError, match="NaN"):
        expected_average_precision([np.nan, 1], [1, 0])


def test_every_row_asks_all_others():
    assert without_itself(np.arange(9).reshape(3, 3)).tolist() == [[1, 2], [3, 5], [6, 7]]
    with pytest.raises(ValueError, match="square"):
        without_itself(np.zeros((2, 3)))
