"""Trees on descriptors: they learn, weights count, files come back."""

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.files import sha256_of, write_json
from meteo_ray.imaging.augment_config import UNALTERED
from meteo_ray.vocabulary import load_vocabulary
from meteo_ray.voters.boosted_trees import LEAST_ROWS_FURTHER, TREES, Trees
from meteo_ray.voters.config import VoterSettings
from meteo_ray.voters.text_voter import TEXT_VOTER
from meteo_ray.voters.training import VoterTraining

FEATURES = 6
ROUNDS = 1000


def rows(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors whose first two columns tell the answer to the one question, `(count, 1)`."""
    rng = np.random.default_rng(seed)
    descriptors = rng.normal(size=(count, FEATURES)).astype(np.float32)
    return descriptors, descriptors[:, :1] + descriptors[:, 1:2] > 0


def fit(descriptors, targets, weights=None, **more) -> Trees:
    return Trees.fit(descriptors, targets, np.ones(len(descriptors)) if weights is None else weights, 0, ROUNDS, **more)


def auc(targets, trees, descriptors) -> float:
    return roc_auc_score(targets[:, 0], trees.votes(descriptors)[:, 0])


@pytest.fixture(scope="module")
def trees():
    return fit(*rows(300, seed=0))


def test_they_learn_and_are_the_same_again(trees):
    descriptors, targets = rows(200, seed=1)
    found = trees.votes(descriptors)
    assert (found.dtype, found.shape) == (np.float32, (200, 1))
    assert auc(targets, trees, descriptors) > 0.97
    np.testing.assert_array_equal(fit(*rows(300, seed=0)).votes(descriptors), found)
    assert trees.votes(descriptors[:0]).shape == (0, 1)


def test_every_question_has_its_own_and_one_that_is_too_rare_has_none():
    descriptors, targets = rows(300, seed=0)
    other = descriptors[:, 2:3] > 0
    rare = np.arange(300)[:, None] < 3
    several = fit(descriptors, np.hstack([targets, other, rare]))
    unseen, _ = rows(200, seed=1)
    votes = several.votes(unseen)
    np.testing.assert_array_equal(votes[:, :1], fit(descriptors, targets).votes(unseen))
    assert roc_auc_score(unseen[:, 2] > 0, votes[:, 1]) > 0.97
    assert (votes[:, 2] == 0).all()


def test_rows_count_by_their_weight():
    descriptors, targets = rows(200, seed=2)
    doubled, contradicted = np.vstack([descriptors, descriptors]), np.concatenate([targets, ~targets])
    weights = np.repeat([1.0, 0.01], 200)
    assert auc(targets, fit(doubled, contradicted, weights), descriptors) > 0.97
    assert auc(targets, fit(doubled, contradicted, weights[::-1]), descriptors) < 0.03


def test_both_answers_weigh_the_same():
    descriptors = np.random.default_rng(3).normal(size=(400, FEATURES)).astype(np.float32)
    rare = np.arange(400)[:, None] % 8 == 0  # one in eight, and nothing to tell it by
    unseen = np.random.default_rng(4).normal(size=(2000, FEATURES)).astype(np.float32)
    assert expit(fit(descriptors, rare).votes(unseen)).mean() > 0.25  # unweighted trees say about one in eight


def test_earlier_trees_are_kept_and_corrected(trees):
    descriptors, targets = rows(300, seed=8)
    corrected = targets | (descriptors[:, 2:3] > 0.5)  # what the earlier rows did not tell
    further = fit(descriptors, corrected, earlier=trees, further=200)
    unseen, simple = rows(2000, seed=9)
    truth = simple | (unseen[:, 2:3] > 0.5)
    first, second = trees.boosters[0], further.boosters[0]
    kept = second.predict(unseen, raw_score=True, num_iteration=first.num_trees())
    assert kept == pytest.approx(trees.votes(unseen)[:, 0], abs=1e-5)
    assert auc(truth, further, unseen) > auc(truth, trees, unseen) + 0.03


def test_earlier_trees_stay_as_they_are_where_few_rows_would_correct_them(trees):
    descriptors, targets = rows(LEAST_ROWS_FURTHER, seed=8)
    few = fit(descriptors[1:], targets[1:], earlier=trees, further=5)
    enough = fit(descriptors, targets, earlier=trees, further=5)
    assert few.boosters[0].num_trees() == trees.boosters[0].num_trees()
    assert enough.boosters[0].num_trees() == trees.boosters[0].num_trees() + 5


def test_earlier_trees_stay_as_they_are_where_none_are_to_learn_on(trees, tmp_path, monkeypatch):
    monkeypatch.setattr("meteo_ray.voters.boosted_trees.FEATURES", FEATURES)
    trees.write(tmp_path)
    (tmp_path / bundle.SUMS).write_text(f"{sha256_of(tmp_path / TREES)}  {TREES}\n")
    write_json(tmp_path / bundle.CONFIG, {"stage": "gate"})
    voting = VoterTraining(VoterSettings(further_trees=0), str(tmp_path), "gate", (), rounds=ROUNDS, seed=0)

    def never(*_):
        raise AssertionError("no image need be looked at")

    voting.fit(never, never, UNALTERED, never, load_vocabulary())
    unseen, _ = rows(500, seed=9)
    np.testing.assert_array_equal(voting.voters.trees.votes(unseen), trees.votes(unseen))

    (tmp_path / TREES).write_text((tmp_path / TREES).read_text()[:-40])
    with pytest.raises(UsageError, match=r"trees\.txt: damaged"):
        VoterTraining(VoterSettings(), str(tmp_path), "gate", (), rounds=ROUNDS, seed=0)


@pytest.mark.parametrize(
    ("stage", "labels", "kept"),
    [
        ("elements", ("wind", "rain"), True),
        ("elements", ("wind", "rain", "snow"), True),  # appended since
        ("elements", ("rain", "wind"), False),
        ("elements", ("wind",), False),
        ("gate", (), False),
    ],
)
def test_trees_learn_on_only_where_they_are_asked_the_same(trees, tmp_path, monkeypatch, caplog, stage, labels, kept):
    monkeypatch.setattr("meteo_ray.voters.boosted_trees.FEATURES", FEATURES)
    Trees((*trees.boosters, None)).write(tmp_path)
    (tmp_path / bundle.SUMS).write_text(f"{sha256_of(tmp_path / TREES)}  {TREES}\n")
    write_json(tmp_path / bundle.CONFIG, {"stage": "elements", "labels": ["wind", "rain"]})
    with caplog.at_level(logging.INFO, "meteo_ray"):
        voting = VoterTraining(VoterSettings(), str(tmp_path), stage, labels, rounds=ROUNDS, seed=0)
    assert voting.with_trees  # new ones, where not those
    assert bool(voting.origin()) is kept
    assert ("its voters answer other questions" in caplog.text) is not kept


@pytest.mark.parametrize(("heard", "text", "told"), [(True, None, 1), (True, False, 0), (False, None, 0)])
def test_a_model_that_will_not_hear_text_as_the_one_before_did_is_said_to_be_one(tmp_path, caplog, heard, text, told):
    if heard:
        (tmp_path / TEXT_VOTER).touch()
    voting = VoterTraining(VoterSettings(text=text), str(tmp_path), "gate", (), rounds=ROUNDS, seed=0)
    unread = pa.table({"text": pa.nulls(3, pa.string())})
    with caplog.at_level(logging.WARNING, "meteo_ray"):
        for _ in ("train", "validation"):
            voting.see(unread, 3, [], Path("nowhere"))
    assert caplog.text.count("gate: what is written will not vote") == told
    assert caplog.text.count("run jobs/read_text.py") == told


def test_they_come_back_from_their_file_if_made_for_these_descriptors(trees, tmp_path, monkeypatch):
    descriptors, targets = rows(300, seed=5)
    two = fit(descriptors, np.hstack([np.zeros_like(targets), targets]))
    two.write(tmp_path)
    with pytest.raises(UsageError, match=r"trees\.txt: damaged or of another version: reads \{6\} descriptors"):
        Trees.read(tmp_path, 2)
    monkeypatch.setattr("meteo_ray.voters.boosted_trees.FEATURES", FEATURES)
    np.testing.assert_array_equal(Trees.read(tmp_path, 2).votes(descriptors), two.votes(descriptors))
    with pytest.raises(UsageError, match="answers question 1 of 1"):
        Trees.read(tmp_path, 1)


def test_a_file_that_is_missing_or_something_else_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"trees\.txt: cannot be read"):
        Trees.read(tmp_path, 1)
    for damaged in ("not trees", "# question 0\nnot trees"):
        (tmp_path / TREES).write_text(damaged)
        with pytest.raises(UsageError, match=r"train (it|the model) again"):
            Trees.read(tmp_path, 1)
