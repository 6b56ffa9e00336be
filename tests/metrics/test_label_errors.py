"""Planted label errors are found, sound labels are left alone, and nothing is said where nothing can be known."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meteo_ray.metrics import label_errors as module
from meteo_ray.metrics.label_errors import doubted, label_errors

ROWS, PLANTED = 300, 9


def trained_scores(truth: np.ndarray, unsure: np.ndarray) -> np.ndarray:
    """A good model: it gives the truth 0.98, and 0.6 in the rows that it is unsure of."""
    confidence = np.where(unsure, 0.6, 0.98)
    return np.where(truth, confidence, 1 - confidence)


def index_rows(count: int = ROWS) -> pa.Table:
    return pa.table(
        {"image_id": [f"{row:04x}" for row in range(count)], "path": [f"{row}.png" for row in range(count)]}
    )


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_planted_errors_are_found_and_no_others(share):
    rng = np.random.default_rng([1, int(100 * share)])
    truth, unsure = rng.random(ROWS) < share, np.arange(ROWS) % 5 == 0
    planted = rng.choice(np.flatnonzero(~unsure), PLANTED, replace=False)
    labels = truth.copy()
    labels[planted] ^= True
    assert sorted(doubted(labels, trained_scores(truth, unsure))) == sorted(planted)


@pytest.mark.parametrize(("usual", "found"), [(0.55, [15]), (0.9, [])])
def test_a_model_is_measured_by_its_own_mean(usual, found):
    """0.6 for a no is suspicious where the model gives the yes rows 0.55, and not where it gives them 0.9."""
    labels = np.array([True] * 10 + [False] * 10)
    scores = np.array([usual] * 10 + [0.01] * 5 + [0.6] + [0.01] * 4)
    assert doubted(labels, scores) == found


def test_the_reference_by_hand():
    """Equations 1 and 2 of the paper, in loops."""
    rng = np.random.default_rng(5)
    labels = rng.random(200) < 0.3
    scores = np.clip(np.where(labels, 0.7, 0.25) + rng.normal(0, 0.25, 200), 0.001, 0.999)
    probability = np.stack([1 - scores, scores], axis=1)
    threshold = [probability[labels == k, k].mean() for k in (0, 1)]
    expected = []
    for row, given_label in enumerate(labels.astype(int)):
        above = [k for k in (0, 1) if probability[row, k] >= threshold[k]]
        if above and max(above, key=lambda k: probability[row, k]) != given_label:
            expected.append(row)
    assert sorted(doubted(labels, scores)) == expected


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), max_size=40))
@settings(max_examples=50)
def test_any_scores_give_distinct_rows_with_the_most_doubted_first(pairs):
    labels = np.array([label for label, _ in pairs], dtype=bool)
    scores = np.array([score for _, score in pairs])
    found = doubted(labels, scores)
    assert len(set(found)) == len(found) <= len(pairs)
    confidence = [scores[row] if labels[row] else 1 - scores[row] for row in found]
    assert confidence == sorted(confidence)
    if labels.all() or not labels.any():
        assert found == []


def test_every_label_of_a_row_is_judged_on_its_own(monkeypatch):
    truth = np.random.default_rng(2).random((ROWS, 3)) < (0.5, 0.2, 0.0)
    scores = trained_scores(truth, np.arange(ROWS)[:, None] % 5 == 0)
    targets = truth.copy()
    targets[7, :2] ^= True
    targets[51, 1] ^= True
    scores[51, 1] = 0.999 if truth[51, 1] else 0.001
    before = targets.copy()
    found = label_errors(index_rows(), targets, scores, ["wind", "rain", "snow"])
    assert found["label_errors_found"] == 3
    assert {(entry["path"], entry["label"]) for entry in found["label_errors"]} == {
        ("7.png", "wind"),
        ("7.png", "rain"),
        ("51.png", "rain"),
    }
    assert found["label_errors"][0] == {
        "image_id": "0033",
        "path": "51.png",
        "label": "rain",
        "given": bool(targets[51, 1]),
        "score": scores[51, 1],
    }
    assert (targets == before).all()
    monkeypatch.setattr(module, "MOST_LISTED", 2)
    capped = label_errors(index_rows(), targets, scores, ["wind", "rain", "snow"])
    assert (capped["label_errors_found"], capped["label_errors"]) == (3, found["label_errors"][:2])
