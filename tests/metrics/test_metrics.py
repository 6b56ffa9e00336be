"""Metrics against their definitions and against scikit-learn's own implementations, edge cases included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from meteo_ray.metrics.binary import binary_metrics, equal_error_rate
from meteo_ray.metrics.bootstrap import bootstrap_interval, bootstrap_intervals
from meteo_ray.metrics.calibration_error import expected_calibration_error, reliability
from meteo_ray.metrics.multilabel import average_precision, multilabel_metrics
from meteo_ray.metrics.ranking import ranking_metrics

TOLERANCE = 1e-6

# Few distinct values, so that ties are the rule.
tied_scores = st.integers(0, 8).map(lambda value: value / 8)
binary_rows = st.lists(st.tuples(st.booleans(), tied_scores), min_size=1, max_size=40)


def columns(rows: list[tuple[bool, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


@given(binary_rows, st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_binary_metrics_agree_with_scikit_learn(rows, threshold):
    targets, scores = columns(rows)
    found = binary_metrics(targets, scores, threshold)
    predicted = scores >= threshold
    assert (found["positives"], found["negatives"]) == (targets.sum(), (~targets).sum())
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(targets, predicted), abs=TOLERANCE)
    if targets.any():
        assert found["f1"] == pytest.approx(sk.f1_score(targets, predicted, zero_division=0), abs=TOLERANCE)
        assert found["recall"] == pytest.approx(sk.recall_score(targets, predicted), abs=TOLERANCE)
        assert found["precision"] == pytest.approx(
            sk.precision_score(targets, predicted, zero_division=0), abs=TOLERANCE
        )
    else:
        assert found["f1"] is None
        assert found["recall"] is None


def test_rows_may_have_thresholds_of_their_own():
    targets, scores = np.array([1, 1, 0, 0, 1]), np.array([0.9, 0.3, 0.3, 0.6, 0.4])
    found = binary_metrics(targets, scores, np.array([0.5, 0.2, 0.5, 0.5, 0.5]))
    called = np.array([1, 1, 0, 1, 0])
    assert found["f1"] == pytest.approx(sk.f1_score(targets, called))
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["threshold"] == 0.5
    assert found["auc"] == binary_metrics(targets, scores, 0.5)["auc"]


@given(binary_rows)
@settings(deadline=None, max_examples=60)
def test_auc_is_the_chance_to_rank_a_pair_rightly(rows):
    targets, scores = columns(rows)
    found = binary_metrics(targets, scores, 0.5)["auc"]
    if targets.all() or not targets.any():
        assert found is None
        return
    pairs = mannwhitneyu(scores[targets], scores[~targets]).statistic / (targets.sum() * (~targets).sum())
    assert found == pytest.approx(pairs, abs=TOLERANCE)


@given(binary_rows)
@settings(deadline=None, max_examples=60)
def test_average_precision_is_the_area_of_its_definition(rows):
    targets, scores = columns(rows)
    if not targets.any():
        assert average_precision(targets, scores) is None
        return
    area, recall_before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        called = scores >= threshold
        recall = (called & targets).sum() / targets.sum()
        area += (recall - recall_before) * (called & targets).sum() / called.sum()
        recall_before = recall
    assert average_precision(targets, scores) == pytest.approx(area, abs=TOLERANCE)


@given(binary_rows)
@settings(deadline=None, max_examples=60)
def test_equal_error_rate_lies_on_the_roc_curve(rows):
    targets, scores = columns(rows)
    found = equal_error_rate(targets, scores)
    if targets.all() or not targets.any():
        assert found is None
        return
    false_positive, true_positive, _ = sk.roc_curve(targets, scores)
    # On the curve's polygon the point (eer, 1 - eer) is where the anti-diagonal crosses: measure along it.
    along = false_positive - (1 - true_positive)
    assert found == pytest.approx(np.interp(0, along, false_positive), abs=TOLERANCE)


def test_equal_error_rate_by_hand():
    # Threshold 0.5 turns one of four positives away and accepts one of four negatives.
    targets = [1, 1, 1, 1, 0, 0, 0, 0]
    scores = [0.9, 0.8, 0.7, 0.2, 0.6, 0.1, 0.1, 0.1]
    assert equal_error_rate(targets, scores) == pytest.approx(0.25)
    assert equal_error_rate([0, 1], [0.1, 0.9]) == 0.0
    assert equal_error_rate([0, 1], [0.9, 0.1]) == 1.0
    assert equal_error_rate([0, 1], [0.5, 0.5]) == pytest.approx(0.5)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=60))
@settings(deadline=None, max_examples=60)
def test_calibration_error_agrees_with_scikit_learns_curve(rows):
    correct, confidence = columns(rows)
    # scikit-learn's bins are [low, high); move the values off the edges so that both bin alike.
    confidence = (np.floor(confidence * 997) + 0.5) / 998
    share, mean = calibration_curve(correct, confidence, n_bins=15)
    filled = reliability(correct, confidence)[0]
    weights = filled[filled > 0]
    expected = np.sum(weights * np.abs(share - mean)) / len(correct)
    assert expected_calibration_error(correct, confidence) == pytest.approx(expected, abs=TOLERANCE)


def test_calibration_error_by_hand():
    # One bin holds two rows at 0.9, one of them right: |0.5 - 0.9| for both of the four rows; the others are perfect.
    assert expected_calibration_error([1, 0, 1, 0], [0.9, 0.9, 1.0, 0.0]) == pytest.approx(0.4 * 2 / 4)


@pytest.mark.parametrize("confidence", [[], [1.2], [-0.1]])
def test_calibration_error_refuses_what_is_no_probability(confidence):
    with pytest.raises(ValueError, match="within"):
        expected_calibration_error([1] * len(confidence), confidence)


@st.composite
def multilabel_rows(draw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets and tied scores `(rows, labels)`, and a threshold for every cell; some labels may not occur."""
    shape = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    targets = draw(st.lists(st.booleans(), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]))
    cells = st.lists(tied_scores, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])
    return np.reshape(targets, shape), np.reshape(draw(cells), shape), np.reshape(draw(cells), shape)


@given(multilabel_rows())
@settings(deadline=None, max_examples=60)
def test_multilabel_metrics_agree_with_scikit_learn(rows):
    targets, scores, thresholds = rows
    names = [f"label {number}" for number in range(targets.shape[1])]
    found = multilabel_metrics(targets, scores, thresholds, names)
    kept, predicted = np.flatnonzero(targets.any(axis=0)), scores >= thresholds
    assert found["without_positives"] == [name for number, name in enumerate(names) if number not in kept]
    assert found["support"] == dict(zip(names, targets.sum(axis=0).tolist(), strict=True))
    if not len(kept):
        assert (found["map"], found["micro_f1"], found["macro_f1"]) == (None, None, None)
        return
    truth, called = targets[:, kept], predicted[:, kept]
    assert found["map"] == pytest.approx(sk.average_precision_score(truth, scores[:, kept]), abs=TOLERANCE)
    assert found["micro_f1"] == pytest.approx(
        sk.f1_score(targets.ravel(), predicted.ravel(), zero_division=0), abs=TOLERANCE
    )
    assert found["macro_f1"] == pytest.approx(
        np.mean([sk.f1_score(truth[:, k], called[:, k], zero_division=0) for k in range(len(kept))]), abs=TOLERANCE
    )
    for label, name in enumerate(names):
        column = targets[:, label], predicted[:, label]
        if label in kept:
            assert found["ap"][name] == pytest.approx(sk.average_precision_score(targets[:, label], scores[:, label]))
            assert found["f1"][name] == pytest.approx(sk.f1_score(*column, zero_division=0), abs=TOLERANCE)
            assert found["precision"][name] == pytest.approx(sk.precision_score(*column, zero_division=0))
            assert found["recall"][name] == pytest.approx(sk.recall_score(*column))
        else:
            assert (found["ap"][name], found["f1"][name], found["recall"][name]) == (None, None, None)


def test_multilabel_metrics_without_any_positive_or_row():
    empty = multilabel_metrics(np.zeros((0, 2)), np.zeros((0, 2)), [0.5, 0.5], ["a", "b"])
    assert (empty["map"], empty["macro_f1"], empty["micro_f1"], empty["count"]) == (None, None, None, 0)
    absent = multilabel_metrics(np.zeros((3, 2)), np.ones((3, 2)), [0.5, 0.5], ["a", "b"])
    assert absent["without_positives"] == ["a", "b"]
    assert absent["map"] is None


def test_ranking_metrics_by_hand():
    found = ranking_metrics(
        ["a", "b", "c", "d"], [["a", "b"], ["a", "c", "b"], ["x", "y", "z", "w", "c"], []], [0.5, 0.5, 0.5, 0.5]
    )
    assert (found["top1"], found["top3"], found["top5"], found["count"]) == (0.25, 0.5, 0.75, 4)
    assert found["ece"] == pytest.approx(0.25)
    assert ranking_metrics([], [], [])["top1"] is None


def test_ranking_metrics_agree_with_scikit_learn():
    rng = np.random.default_rng(1)
    scores = rng.random((50, 7))
    targets = rng.integers(7, size=50)
    ranked = [[str(label) for label in np.argsort(-row)] for row in scores]
    found = ranking_metrics([str(target) for target in targets], ranked, scores.max(axis=1))
    for depth in (1, 3, 5):
        expected = sk.top_k_accuracy_score(targets, scores, k=depth, labels=range(7))
        assert found[f"top{depth}"] == pytest.approx(expected, abs=TOLERANCE)


def test_scores_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="1 scores are NaN"):
        binary_metrics([0, 1], [0.5, np.nan], 0.5)
    with pytest.raises(ValueError, match="must be equal"):
        binary_metrics([0, 1], [0.5], 0.5)
    with pytest.raises(ValueError, match="0 or 1"):
        binary_metrics([0, 2], [0.5, 0.5], 0.5)


def test_no_rows_leave_everything_undefined():
    found = binary_metrics([], [], 0.5)
    assert {found[name] for name in ("auc", "f1", "precision", "recall", "eer", "ece", "accuracy")} == {None}


def test_bootstrap_interval_holds_the_value_and_narrows_with_rows():
    def auc(targets, scores):
        return binary_metrics(targets, scores, 0.5)["auc"]

    rng = np.random.default_rng(2)
    targets = np.arange(400) % 2
    scores = np.clip(rng.normal(0.4 + 0.2 * targets, 0.2), 0, 1)
    low, high = bootstrap_interval(auc, targets, scores, seed=0, rounds=200)
    assert low < auc(targets, scores) < high
    few = bootstrap_interval(auc, targets[:40], scores[:40], seed=0, rounds=200)
    assert few[1] - few[0] > high - low
    assert bootstrap_interval(auc, targets, scores, seed=0, rounds=200) == (low, high)
    assert bootstrap_interval(auc, targets[::2], scores[::2], seed=0, rounds=20) is None
    assert bootstrap_interval(auc, [], [], seed=0) is None


def test_metrics_of_one_bootstrap_share_its_draws():
    targets, scores = np.arange(60) % 2, np.random.default_rng(3).random(60)

    def of_draw(rows):
        return {"accuracy": binary_metrics(targets[rows], scores[rows], 0.5)["accuracy"], "lucky": None}

    found = bootstrap_intervals(of_draw, 60, seed=1, rounds=50)
    alone = bootstrap_interval(lambda t, s: binary_metrics(t, s, 0.5)["accuracy"], targets, scores, seed=1, rounds=50)
    assert found == {"accuracy": alone, "lucky": None}
    assert bootstrap_intervals(of_draw, 60, seed=1, rounds=0) == {}
    assert bootstrap_intervals(of_draw, 0, seed=1) == {}
