"""Voters on one scale: who knows little says little, and the sum knows more than each."""

import json

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from meteo_ray.calibration.platt import PlattPrior
from meteo_ray.calibration.votes import VoterGroup, VoteScales, cross_fitted, stacked, unstacked, weighed


@pytest.fixture
def split():
    """Two independent voters of use, one that guesses; two questions, the second answered yes twice."""
    rng = np.random.default_rng(0)
    targets = rng.random((600, 2)) < (0.4, 0.0)
    targets[:2, 1] = True
    votes = {
        "loud": rng.normal(8 * targets - 4, 4.0),
        "quiet": rng.normal(0.2 * targets, 0.1) + 3,
        "guessing": rng.normal(size=targets.shape) * 5,
    }
    return votes, targets


def test_the_sum_knows_more_than_each_voter(split):
    votes, targets = split
    scales = VoteScales.fit(votes, targets, borrowed=5)
    joined = roc_auc_score(targets[:, 0], scales.log_odds(votes)[:, 0])
    assert joined > max(roc_auc_score(targets[:, 0], scores[:, 0]) for scores in votes.values()) + 0.02


def test_voters_who_repeat_each_other_share_their_weight(split):
    votes, targets = split
    loud, quiet = votes["loud"][:, :1], votes["quiet"][:, :1]
    repeated = {"loud": loud, "echo": loud * 2, "again": loud + 1, "quiet": quiet, "guessing": votes["guessing"][:, :1]}
    weights = VoteScales.fit(repeated, targets[:, :1], borrowed=5).weights
    assert weights["loud"] + weights["echo"] + weights["again"] < 2 * weights["quiet"]
    assert weights["loud"] == pytest.approx(weights["echo"], rel=0.1)


def test_given_weights_stand_and_who_is_not_named_counts_one(split):
    votes, targets = split
    first, *others = votes
    (group,) = weighed([VoterGroup(votes)], {first: 0.25})
    scales = group.taken(np.arange(len(targets) // 2)).scales(targets[: len(targets) // 2], 0.0)
    alone = {name: VoteScales({name: scale}).log_odds(votes) for name, scale in scales.voters.items()}
    assert scales.log_odds(votes) == pytest.approx(0.25 * alone[first] + sum(alone[name] for name in others))
    (fitted,) = weighed([VoterGroup(votes)], {})
    assert fitted.scales(targets, 0.0) == VoteScales.fit(votes, targets)


def test_few_rows_move_an_earlier_scale_little_and_many_decide(split):
    votes, targets = split
    one, truth = {"loud": votes["loud"][:, :1]}, targets[:, :1]
    free = VoteScales.fit(one, truth).voters["loud"]
    elsewhere = VoteScales({"loud": free.times(3.0)})

    def slope(rows: int) -> float:
        (group,) = weighed([VoterGroup(one).taken(np.arange(rows))], {"loud": 1.0}, elsewhere)
        return group.scales(truth[:rows], borrowed=0.0).voters["loud"].slope[0]

    (known,) = elsewhere.voters["loud"].slope
    assert known > slope(6) > slope(20) > 1.3 * free.slope[0]
    assert slope(600) == pytest.approx(free.slope[0], rel=0.03)


def test_an_earlier_scale_says_the_same_under_other_weights(split):
    votes, targets = split
    before = VoteScales.fit(votes, targets[:, :1] & [True, True], borrowed=5, weights={"loud": 0.5})
    groups = weighed([VoterGroup(votes)], {"quiet": 0.25}, before)
    for name, weight in (("loud", 1.0), ("quiet", 0.25), ("guessing", 1.0)):
        said = weight * groups[0].earlier[name].log_odds(votes[name])
        expected = before.weights.get(name, 1.0) * before.voters[name].log_odds(votes[name])
        np.testing.assert_allclose(said, expected)


def test_scales_turn_scores_into_log_odds(split):
    votes, targets = split
    scale = VoteScales.fit(votes, targets, borrowed=5).voters["loud"]
    found = expit(scale.log_odds(votes["loud"])[:, 0])
    assert found.mean() == pytest.approx(targets[:, 0].mean(), abs=0.02)


def test_who_guesses_or_is_contrary_says_next_to_nothing(split):
    votes, targets = split
    contrary = {"contrary": -votes["loud"][:, :1], "guessing": votes["guessing"][:, :1]}
    scales = VoteScales.fit(contrary, targets[:, :1], borrowed=5)
    np.testing.assert_array_equal(scales.voters["contrary"].log_odds(contrary["contrary"]), 0)
    assert scales.voters["guessing"].log_odds(votes["guessing"])[:, 0].std() < 0.3


def test_a_rare_question_leans_on_all_and_a_common_one_on_itself(split):
    votes, targets = split
    targets[:10, 1] = True
    loud = {"loud": np.stack([votes["loud"][:, 0], 0.1 * (4 * targets[:, 1] - 2 + votes["loud"][:, 1])], axis=1)}
    own, some, much = (
        np.array(VoteScales.fit(loud, targets, borrowed).voters["loud"].slope) for borrowed in (0, 10, 10**6)
    )
    assert much[0] == pytest.approx(much[1], rel=1e-2)
    common, rare = np.abs(some - own) / np.abs(much - own)
    assert common < 0.2
    assert rare > 0.5


def test_a_question_without_a_yes_takes_the_scale_of_all(split):
    votes, targets = split
    targets[:, 1] = False
    scale = VoteScales.fit({"loud": votes["loud"]}, targets, 5).voters["loud"]
    pooled = PlattPrior.pooled(votes["loud"], targets, 5)
    assert (scale.slope[1], scale.intercept[1]) == tuple(pooled.mean)


def test_a_group_is_scaled_on_rows_of_its_own_too():
    """On the shared rows text knows everything, elsewhere nothing: it is believed as what it is on the whole."""
    rng = np.random.default_rng(2)
    targets = rng.random((60, 1)) < 0.5
    pixels = VoterGroup({"network": rng.normal(3 * targets - 1.5, 1.0)})
    lucky = {"words": rng.normal(6 * targets - 3, 0.5)}
    elsewhere = rng.random((600, 1)) < 0.5
    warned = VoterGroup(lucky, {"words": rng.normal(0, 3, elsewhere.shape)}, elsewhere)
    believed, doubted = (VoteScales.of_groups([pixels, text], targets) for text in (VoterGroup(lucky), warned))
    assert doubted.voters["words"].slope[0] < 0.3 * believed.voters["words"].slope[0]
    assert doubted.voters["network"] == believed.voters["network"]
    assert doubted.weights == {}
    sums = cross_fitted([pixels, warned], targets)
    assert roc_auc_score(targets[:, 0], sums[:, 0]) > 0.98


def test_cross_fitted_sums_do_not_flatter_voters_who_know_nothing():
    rng = np.random.default_rng(1)
    targets = rng.random((40, 30)) < 0.3
    votes = {str(number): rng.normal(size=targets.shape) for number in range(6)}
    fitted = VoteScales.fit(votes, targets).log_odds(votes)
    crossed = cross_fitted([VoterGroup(votes)], targets)
    flattered, honest = (roc_auc_score(targets.ravel(), sums.ravel()) for sums in (fitted, crossed))
    assert flattered > 0.55 > honest
    np.testing.assert_array_equal(cross_fitted([VoterGroup(votes)], targets), crossed)


def test_they_survive_json(split):
    votes, targets = split
    scales = VoteScales.fit(votes, targets, 5)
    assert VoteScales.from_json(json.loads(json.dumps(scales.to_json()))) == scales
    assert set(scales.weights) == set(votes)
    with pytest.raises(KeyError):
        scales.log_odds({"loud": votes["loud"]})


def test_votes_travel_in_one_column(split):
    votes, _ = split
    voters = ("quiet", "loud")
    stack = stacked(votes, voters)
    assert stack.shape == (600, 2, 2)
    for travelled in (stack, stack.reshape(600, -1)):
        back = unstacked(travelled, voters)
        assert list(back) == list(voters)
        for name in voters:
            np.testing.assert_array_equal(back[name], votes[name].astype(np.float32))
    with pytest.raises(ValueError, match="reshape"):
        unstacked(stack.reshape(600, -1), ("one", "two", "three"))
    assert unstacked(stack[:0], voters)["loud"].shape == (0, 0)
