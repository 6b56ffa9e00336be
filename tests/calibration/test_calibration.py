"""Thresholds against brute force, temperature and Platt scaling against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, log_softmax
from sklearn.calibration import _SigmoidCalibration
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss, precision_score, recall_score

from meteo_ray.calibration.platt import PlattPrior, fit_platt, smoothed
from meteo_ray.calibration.probabilities import TEMPERATURE_BOUNDS, fit_temperature
from meteo_ray.calibration.thresholds import (
    NEUTRAL_THRESHOLD,
    best_f1_threshold,
    threshold_for_precision,
    threshold_for_recall,
)

rows = st.lists(st.tuples(st.booleans(), st.integers(0, 8).map(lambda value: value / 8)), min_size=1, max_size=30)
EVERY_DECISION = np.linspace(-0.0625, 1.0625, 10)  # between and outside all possible scores


def columns(found):
    return np.array([row[0] for row in found]), np.array([row[1] for row in found])


@given(rows)
@settings(deadline=None, max_examples=80)
def test_no_threshold_has_a_better_f1(found):
    targets, scores = columns(found)
    threshold = best_f1_threshold(targets, scores)
    if not targets.any():
        assert threshold == NEUTRAL_THRESHOLD
        return
    best = max(f1_score(targets, scores >= other, zero_division=0) for other in EVERY_DECISION)
    assert f1_score(targets, scores >= threshold) == pytest.approx(best)


@given(rows, st.sampled_from([0.5, 0.9, 0.99, 1.0]))
@settings(deadline=None, max_examples=80)
def test_threshold_for_recall_is_the_highest_that_reaches_it(found, wanted):
    targets, scores = columns(found)
    threshold = threshold_for_recall(targets, scores, wanted)
    if not targets.any():
        assert threshold is None
        return
    assert recall_score(targets, scores >= threshold) >= wanted - 1e-9
    stricter = [
        other for other in EVERY_DECISION if other > threshold and (scores >= other).sum() < (scores >= threshold).sum()
    ]
    assert all(recall_score(targets, scores >= other) < wanted for other in stricter)


@given(rows, st.sampled_from([0.5, 0.9, 0.99, 1.0]))
@settings(deadline=None, max_examples=80)
def test_threshold_for_precision_is_the_lowest_that_reaches_it(found, wanted):
    targets, scores = columns(found)
    threshold = threshold_for_precision(targets, scores, wanted)
    reached = [
        (scores >= other).sum()
        for other in EVERY_DECISION
        if (scores >= other).any() and precision_score(targets, scores >= other) >= wanted - 1e-9
    ]
    if not targets.any() or not reached:
        assert threshold is None
        return
    assert (scores >= threshold).sum() == max(reached)


def test_a_wanted_share_is_met_exactly_despite_rounding():
    # 0.99 * 100 is 99.00000000000001 in floating point for some shares; one miss of a hundred must still count.
    targets = np.ones(100, dtype=bool)
    scores = np.arange(100) / 100
    for wanted in (0.07, 0.29, 0.57, 0.58, 0.99):
        threshold = threshold_for_recall(targets, scores, wanted)
        assert (scores >= threshold).sum() == round(100 * wanted)


def test_neighbouring_floats_are_told_apart():
    low = np.float32(0.5)
    high = np.nextafter(low, np.float32(1))
    threshold = best_f1_threshold([0, 1], np.array([low, high]))
    assert float(low) < threshold <= float(high)
    exact = best_f1_threshold([0, 1], [0.5, np.nextafter(0.5, 1)])
    assert exact == np.nextafter(0.5, 1)


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 3.0])
def test_binary_temperature_is_found_again(true_temperature):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, 20000)
    targets = rng.random(20000) < expit(logits)
    assert fit_temperature(logits * true_temperature, targets) == pytest.approx(true_temperature, rel=0.03)


def test_binary_temperature_agrees_with_logistic_regression_through_the_origin():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 4, 5000)
    targets = rng.random(5000) < expit(logits / 2.5)
    regression = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10).fit(logits[:, None], targets)
    # Platt's smoothed targets move the optimum by about 1 / positives.
    assert fit_temperature(logits, targets) == pytest.approx(1 / regression.coef_[0, 0], rel=2e-3)


def test_multiclass_temperature_minimises_the_log_loss():
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (3000, 5))
    chances = np.exp(log_softmax(logits, axis=1))
    targets = np.array([rng.choice(5, p=row) for row in chances])
    temperature = fit_temperature(logits * 2, targets)
    assert temperature == pytest.approx(2, rel=0.05)

    def loss(value):
        return log_loss(targets, np.exp(log_softmax(logits * 2 / value, axis=1)), labels=range(5))

    assert loss(temperature) <= min(loss(temperature * 1.01), loss(temperature * 0.99))


def test_temperature_of_data_that_cannot_tell():
    assert fit_temperature([], []) == 1.0
    assert fit_temperature([1.0, 2.0], [1, 1]) == 1.0
    separated = fit_temperature([-9.0, -8.0, 8.0, 9.0], [0, 0, 1, 1])
    assert TEMPERATURE_BOUNDS[0] < separated < TEMPERATURE_BOUNDS[1]
    # Four rows do not make anyone surer than Platt's targets 3/4 and 1/4.
    assert expit(9 / separated) == pytest.approx(0.75, abs=0.02)


def test_platt_agrees_with_scikit_learn():
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, (400, 3)) * [1, 30, 0.01]
    targets = rng.random((400, 3)) < expit(np.array([1.7, 0.1, -90]) * logits - [0.8, 2, 0])
    found = fit_platt(logits, targets)
    for line, column, truth in zip(found, logits.T, targets.T, strict=True):
        reference = _SigmoidCalibration().fit(column, truth)  # p = 1 / (1 + exp(a_ f + b_))
        assert line == pytest.approx((-reference.a_, -reference.b_), rel=1e-3, abs=1e-4)


def test_platt_without_both_answers_says_what_was_known_before():
    prior = PlattPrior.pooled([-1.0, 1.0, 2.0, 0.5], [0, 1, 1, 0], 2)
    assert fit_platt([[1.0], [2.0]], [[0], [0]]).tolist() == [[1.0, 0.0]]
    assert fit_platt(np.zeros((0, 2)), np.zeros((0, 2))).tolist() == [[1.0, 0.0]] * 2
    assert fit_platt([[1.0], [2.0]], [[1], [1]], prior)[0] == pytest.approx(prior.mean)


@given(seed=st.integers(0, 10**6), spread=st.sampled_from([0.01, 1.0, 50.0]), borrowed=st.sampled_from([0.0, 3.0, 1e4]))
def test_platt_finds_the_likeliest_line_of_every_question(seed, spread, borrowed):
    """No step to any side is likelier, with few rows, rows that a line separates and ones that agree on nothing."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(rng.normal(), spread, (12, 4))
    targets = rng.random((12, 4)) < [0.5, 0.1, 0.9, 0.5]
    targets[:, 3] = logits[:, 3] > np.median(logits[:, 3])
    prior = PlattPrior.pooled(logits, targets, borrowed)
    found = fit_platt(logits, targets, prior)
    wanted = smoothed(targets, prior.positives, prior.negatives)

    def loss(lines):
        scaled, moved = logits * lines[:, 0] + lines[:, 1], lines - prior.mean
        likelihood = (np.logaddexp(0, scaled) - wanted * scaled).sum(axis=0)
        return likelihood + 0.5 * np.einsum("qi,ij,qj->q", moved, prior.precision, moved)

    both = targets.any(axis=0) & ~targets.all(axis=0)
    for step in ([0.01, 0], [0, 0.01], [0.01, 0.01], [0.01, -0.01]):
        for sign in (1, -1):
            aside = found + sign * np.array(step) * np.maximum(np.abs(found), 1e-3)
            assert (loss(found) <= loss(aside) + 1e-9)[both].all()
