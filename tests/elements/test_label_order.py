"""Order of labels, teacher forcing and class weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.elements.class_weights import class_weights
from meteo_ray.elements.label_order import LabelOrder
from meteo_ray.elements.teacher_forcing import teacher_forcing


def test_commonest_label_comes_first_and_ties_keep_the_vocabulary_order():
    order = LabelOrder.by_frequency([3, 9, 3, 0])
    assert order.frequent_first == (1, 0, 2, 3)
    assert order.sequence([3, 2, 1], max_labels=10) == [1, 2, 3]


@given(st.sets(st.integers(0, 19)), st.integers(1, 12), st.integers(0, 2**32))
def test_shuffling_changes_the_order_and_nothing_else(labels, longest, seed):
    order = LabelOrder.by_frequency(list(range(20)))
    plain = order.sequence(labels, longest)
    shuffled = order.sequence(labels, longest, np.random.default_rng(seed))
    assert sorted(plain) == sorted(shuffled)
    assert len(plain) == min(len(labels), longest)
    assert plain == sorted(labels, reverse=True)[:longest]


def test_teacher_forcing_falls_linearly_and_stops():
    assert teacher_forcing(0.0) == 1.0
    assert teacher_forcing(0.5) == pytest.approx(0.85)
    assert teacher_forcing(1.0) == pytest.approx(0.7)
    assert teacher_forcing(2.0) == 0.7


def test_class_weights_are_inverse_frequencies_within_bounds():
    np.testing.assert_allclose(class_weights(np.array([100, 50, 150]), 10), [1, 2, 2 / 3], rtol=1e-6)
    np.testing.assert_allclose(class_weights(np.array([1000, 1, 0]), 4), [0.5005, 4, 4], rtol=1e-6)
    np.testing.assert_allclose(class_weights(np.array([1000, 1, 0]), 1), [1, 1, 1])
