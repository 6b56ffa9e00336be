"""Pairs of errors on charts written by hand, and the matrix drawn from them."""

import base64
import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import multilabel_confusion_matrix

from meteo_ray.metrics import error_pairs as module
from meteo_ray.metrics.error_pairs import error_pairs, errors, together
from meteo_ray.metrics.plots import error_matrix

NAMES = ["wind", "gust", "rain"]
TARGETS = np.array([[1, 0, 0], [1, 0, 1], [1, 0, 0], [0, 0, 1]], dtype=bool)
# wind for gust twice, once with the rain missed too; then wind alone; then two wrong names beside a right one.
CALLED = np.array([[0, 1, 0], [0, 1, 0], [0, 0, 0], [1, 1, 1]], dtype=bool)


def test_pairs_by_hand():
    found = error_pairs(TARGETS, CALLED, NAMES)
    assert found["confused"] == [
        {"missed": "wind", "named": "gust", "rows": 2, "missed_rows": 3},
        {"missed": "rain", "named": "gust", "rows": 1, "missed_rows": 1},
    ]
    assert found["missed_together"] == [{"labels": ["wind", "rain"], "rows": 1}]
    assert found["named_together"] == [{"labels": ["wind", "gust"], "rows": 1}]


def test_the_commonest_pairs_come_first_and_no_more_than_are_worth_a_line(monkeypatch):
    monkeypatch.setattr(module, "MOST_PAIRS", 1)
    assert [pair["missed"] for pair in error_pairs(TARGETS, CALLED, NAMES)["confused"]] == ["wind"]


@given(st.lists(st.tuples(*[st.booleans()] * 6), min_size=1, max_size=20))
def test_errors_are_those_of_scikit_learn(rows):
    cells = np.array(rows, dtype=bool)
    targets, called = cells[:, :3], cells[:, 3:]
    missed, named = errors(targets, called)
    matrices = multilabel_confusion_matrix(targets, called)
    assert np.array_equal(missed.sum(axis=0), matrices[:, 1, 0])
    assert np.array_equal(named.sum(axis=0), matrices[:, 0, 1])
    assert not together(missed, named).diagonal().any()  # no label is missed and named wrongly on one row


def test_no_errors_make_no_pairs():
    assert error_pairs(TARGETS, TARGETS, NAMES) == {"confused": [], "missed_together": [], "named_together": []}
    assert not any(error_pairs(TARGETS[:0], TARGETS[:0], NAMES).values())


def test_the_matrix_is_drawn():
    head, data = error_matrix(TARGETS, CALLED, NAMES).split(",", 1)
    assert head == "data:image/png;base64"
    assert min(Image.open(io.BytesIO(base64.b64decode(data))).size) > 200
