"""Trees on descriptors: they learn, weights count, files come back, and both votes count by their confidence."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from meteo_ray.errors import UsageError
from meteo_ray.gate.boosted_trees import TREES, fit_trees, log_odds, read_trees, vote_weight, write_trees

FEATURES = 6


def rows(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors whose first two columns tell the class."""
    rng = np.random.default_rng(seed)
    descriptors = rng.normal(size=(count, FEATURES)).astype(np.float32)
    return descriptors, descriptors[:, 0] + descriptors[:, 1] > 0


@pytest.fixture(scope="module")
def trees():
    descriptors, targets = rows(300, seed=0)
    return fit_trees(descriptors, targets, np.ones(300), seed=0)


def test_they_learn_and_are_the_same_again(trees):
    descriptors, targets = rows(200, seed=1)
    found = log_odds(trees, descriptors)
    assert (found.dtype, found.shape) == (np.float32, (200,))
    assert roc_auc_score(targets, found) > 0.97
    known = rows(300, seed=0)
    np.testing.assert_array_equal(log_odds(fit_trees(*known, np.ones(300), seed=0), descriptors), found)
    assert log_odds(trees, descriptors[:0]).shape == (0,)


def test_rows_count_by_their_weight():
    descriptors, targets = rows(200, seed=2)
    doubled, contradicted = np.vstack([descriptors, descriptors]), np.concatenate([targets, ~targets])
    weights = np.repeat([1.0, 0.01], 200)
    found = log_odds(fit_trees(doubled, contradicted, weights, seed=0), descriptors)
    assert roc_auc_score(targets, found) > 0.97
    assert roc_auc_score(targets, log_odds(fit_trees(doubled, contradicted, weights[::-1], 0), descriptors)) < 0.03


def test_both_classes_weigh_the_same():
    descriptors = np.random.default_rng(3).normal(size=(400, FEATURES)).astype(np.float32)
    rare = np.arange(400) % 8 == 0  # one in eight, and nothing to tell it by
    unseen = np.random.default_rng(4).normal(size=(2000, FEATURES)).astype(np.float32)
    share = expit(log_odds(fit_trees(descriptors, rare, np.ones(400), seed=0), unseen)).mean()
    assert share > 0.25  # unweighted trees say about one in eight


def test_earlier_trees_are_kept_and_corrected(trees):
    descriptors, targets = rows(300, seed=8)
    corrected = targets | (descriptors[:, 2] > 0.5)  # what the earlier rows did not tell
    further = fit_trees(descriptors, corrected, np.ones(300), seed=0, earlier=trees)
    unseen, simple = rows(2000, seed=9)
    truth = simple | (unseen[:, 2] > 0.5)
    assert further.predict(unseen, raw_score=True, num_iteration=trees.num_trees()) == pytest.approx(
        log_odds(trees, unseen), abs=1e-5
    )
    assert roc_auc_score(truth, log_odds(further, unseen)) > roc_auc_score(truth, log_odds(trees, unseen)) + 0.03


def test_one_class_alone_is_refused():
    descriptors, _ = rows(20, seed=7)
    with pytest.raises(UsageError, match="20 are charts and 0 are not"):
        fit_trees(descriptors, np.ones(20), np.ones(20), seed=0)


def test_they_come_back_from_their_file_if_made_for_these_descriptors(trees, tmp_path, monkeypatch):
    write_trees(tmp_path, trees)
    with pytest.raises(UsageError, match=r"trees\.txt: made for 6 descriptors, there are 367 now"):
        read_trees(tmp_path)
    monkeypatch.setattr("meteo_ray.gate.boosted_trees.FEATURES", FEATURES)
    descriptors, _ = rows(50, seed=5)
    np.testing.assert_array_equal(log_odds(read_trees(tmp_path), descriptors), log_odds(trees, descriptors))


def test_a_file_that_is_missing_or_something_else_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"trees\.txt: cannot be read"):
        read_trees(tmp_path)
    (tmp_path / TREES).write_text("not trees")
    with pytest.raises(UsageError, match="train the gate again"):
        read_trees(tmp_path)


def test_votes_count_by_how_sure_they_may_be():
    rng = np.random.default_rng(6)
    targets = (rng.random(4000) < 0.5).astype(int)
    honest = rng.normal(2.0 * (2 * targets - 1), 2.0)  # log-odds of two normals of this distance: calibrated
    assert vote_weight(honest, honest, targets) == pytest.approx(1.0)
    assert vote_weight(honest, 3 * honest, targets) == pytest.approx(1 / 3, rel=1e-3)  # overconfident trees
    assert vote_weight(honest, rng.normal(0, 2, 4000), targets) < 0.1  # trees that know nothing
