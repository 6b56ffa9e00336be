"""From votes to probabilities and thresholds."""

import json

import numpy as np
import pytest
from scipy.special import expit

from meteo_ray.calibration.votes import VoterGroup
from meteo_ray.elements.calibration import ElementsCalibration, of_network

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


def test_scores_are_probabilities_that_mean_what_they_say(split):
    targets, useful, useless = split
    sharp = 4 * useful  # far too sure of itself
    votes = of_network(sharp, expit(useless))
    calibration = ElementsCalibration.fit([VoterGroup(votes)], targets, borrowed=5)
    scores = calibration.scores(votes)
    assert scores.dtype == np.float32
    for label in (0, 1):
        assert scores[:, label].mean() == pytest.approx(targets[:, label].mean(), abs=0.02)
        assert np.mean((scores[:, label] - targets[:, label]) ** 2) < np.mean((expit(sharp) - targets)[:, label] ** 2)


def test_a_rare_label_leans_on_all_labels(split):
    """Two of its charts are not enough for a scale and a threshold of its own; the others' would be right for it."""
    targets, useful, useless = split
    useful[:, 2] = np.where(targets[:, 2] > 0, 2.0, np.minimum(useful[:, 2], 0.0))
    votes = [VoterGroup(of_network(useful, expit(useless)))]
    alone, leaning = (ElementsCalibration.fit(votes, targets, borrowed) for borrowed in (0, 20))
    assert [label.positives for label in leaning.labels] == [*targets.sum(axis=0).astype(int)]
    common = [abs(each.labels[0].threshold - alone.labels[0].threshold) for each in (alone, leaning)]
    assert common[1] < 0.1
    called = leaning.scores(votes[0].votes) >= leaning.thresholds
    np.testing.assert_array_equal(called[:2, 2], True)
    assert called[2:, 2].mean() < 0.02


def test_a_label_without_a_chart_takes_the_calibration_of_all(split):
    targets, useful, useless = split
    targets[:, 2] = 0
    calibration = ElementsCalibration.fit([VoterGroup(of_network(useful, expit(useless)))], targets, borrowed=5)
    assert [label.pooled for label in calibration.labels] == [False, False, True]
    assert calibration.labels[2].slope > 0


def test_a_label_without_a_chart_may_borrow_nothing(split):
    targets, useful, useless = split
    targets[:, 2] = 0
    useful[0] = [9.0, -9.0, -9.0]  # the surest answer of all is another label's
    calibration = ElementsCalibration.fit([VoterGroup(of_network(useful, expit(useless)))], targets, borrowed=0)
    assert calibration.labels[2].threshold == 0.5


def test_a_head_that_ranks_the_wrong_way_round_does_not_turn_the_scale():
    rng = np.random.default_rng(1)
    targets = (rng.random((300, 2)) < 0.4).astype(np.float32)
    logits = rng.normal(2 * targets - 1, 1)
    logits[:, 1] *= -1
    calibration = ElementsCalibration.fit([VoterGroup({"parallel": logits})], targets, borrowed=5)
    assert all(slope >= 0 for slope in calibration.scales.voters["parallel"].slope)
    assert all(label.slope > 0 for label in calibration.labels)


def test_it_survives_json(split):
    targets, useful, useless = split
    calibration = ElementsCalibration.fit([VoterGroup(of_network(useful, expit(useless)))], targets, 5)
    document = json.loads(json.dumps(calibration.to_json(NAMES)))
    assert ElementsCalibration.from_json(document, NAMES) == calibration
    with pytest.raises(KeyError):
        ElementsCalibration.from_json(document, ("a", "b", "d"))


def test_certain_outputs_stay_finite():
    targets = np.tile([[1.0, 0.0]], (10, 1))
    parallel = np.tile([[80.0, -80.0]], (10, 1))
    votes = of_network(parallel, targets)
    calibration = ElementsCalibration.fit([VoterGroup(votes)], targets, 5)
    assert np.isfinite(calibration.scores(votes)).all()
