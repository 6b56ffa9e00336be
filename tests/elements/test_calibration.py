"""Blend, Platt scaling and thresholds."""

import json

import numpy as np
import pytest
from scipy.special import expit

from meteo_ray.elements.calibration import ElementsCalibration, best_blend, blended

NAMES = ("a", "b", "c")


@pytest.fixture
def split():
    """A useful and a useless head over three labels; the third has two positives."""
    rng = np.random.default_rng(0)
    targets = rng.random((400, 3)) < (0.5, 0.2, 0.0)
    targets[:2, 2] = True
    useful = rng.normal(3 * targets - 1.5, 1)
    useless = rng.normal(size=(400, 3))
    return targets.astype(np.float32), useful, useless


def test_the_better_head_gets_the_weight(split):
    targets, useful, useless = split
    assert best_blend(useful, expit(useless), targets) < 0.5
    assert best_blend(useless, expit(useful), targets) > 0.5
    assert best_blend(useful, expit(useful), targets) == 0.5


def test_blend_is_a_weighted_mean_of_probabilities():
    np.testing.assert_allclose(blended(np.array([[0.0]]), np.array([[0.9]]), 0.25), 0.75 * 0.5 + 0.25 * 0.9)


def test_scores_are_probabilities_that_mean_what_they_say(split):
    targets, useful, useless = split
    sharp = 4 * useful  # far too sure of itself
    calibration = ElementsCalibration.fit(sharp, expit(useless), targets, minimum_positives=5)
    scores = calibration.scores(sharp, expit(useless))
    assert scores.dtype == np.float32
    for label in (0, 1):
        assert scores[:, label].mean() == pytest.approx(targets[:, label].mean(), abs=0.02)
        assert np.mean((scores[:, label] - targets[:, label]) ** 2) < np.mean((expit(sharp) - targets)[:, label] ** 2)


def test_a_rare_label_falls_back_to_the_pooled_calibration(split):
    targets, useful, useless = split
    calibration = ElementsCalibration.fit(useful, expit(useless), targets, minimum_positives=5)
    assert [label.pooled for label in calibration.labels] == [False, False, True]
    assert [label.positives for label in calibration.labels] == [*targets.sum(axis=0).astype(int)]
    generous = ElementsCalibration.fit(useful, expit(useless), targets, minimum_positives=2)
    assert not generous.labels[2].pooled


def test_a_head_that_ranks_the_wrong_way_round_does_not_turn_the_scale():
    rng = np.random.default_rng(1)
    targets = (rng.random((300, 2)) < 0.4).astype(np.float32)
    logits = rng.normal(2 * targets - 1, 1)
    logits[:, 1] *= -1
    calibration = ElementsCalibration.fit(logits, expit(logits), targets, minimum_positives=5)
    assert [label.pooled for label in calibration.labels] == [False, True]
    assert all(label.slope > 0 for label in calibration.labels)


def test_it_survives_json(split):
    targets, useful, useless = split
    calibration = ElementsCalibration.fit(useful, expit(useless), targets, 5)
    document = json.loads(json.dumps(calibration.to_json(NAMES)))
    assert ElementsCalibration.from_json(document, NAMES) == calibration
    with pytest.raises(KeyError):
        ElementsCalibration.from_json(document, ("a", "b", "d"))


def test_certain_outputs_stay_finite():
    targets = np.tile([[1.0, 0.0]], (10, 1))
    parallel = np.tile([[80.0, -80.0]], (10, 1))
    calibration = ElementsCalibration.fit(parallel, targets, targets, 5)
    assert np.isfinite(calibration.scores(parallel, targets)).all()
