"""Several voters on the same yes-or-no questions, brought to one scale and added up.

Each voter's raw score is turned into calibrated log-odds by Platt scaling, question by question, where a question of
few rows leans on what all of them say; calibrated log-odds of independent voters add up to those of all, so that a
voter which knows little says little. Voters of one group that repeat each other count less: one weight a voter, fitted
to all questions together, for that is what a hundred rows can tell. Groups that know of different things are added as
they are. The sum is calibrated again by whoever uses it: on sums that are cross-fitted, or it would look surer than it
is.
"""

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from meteo_ray.calibration.platt import PlattPrior, fit_platt
from meteo_ray.calibration.probabilities import fit_weights

Floats = NDArray[np.float64]
Votes = Mapping[str, np.ndarray]
"""Raw scores `(rows, questions)` by the name of their voter."""

FOLDS = 5

# What an earlier model's scale counts beside this one's rows: as so many rows of either answer. With ten validation
# images a gate's AUC on unseen sources was 0.960 with none, 0.976 with about 20 and 0.978 with about 50; with 65 images
# it was 0.994, 0.995 and 0.995; in a second case of eight images 0.967, 0.953 and 0.955 (docs/results.md).
EARLIER_ROWS = 30


@dataclass(frozen=True)
class VoterGroup:
    """Voters who are weighed against each other, on rows that the groups share.

    `further` votes with their `further_targets` `(other rows, questions)` are what the group alone was asked besides.
    `weights` are given where these rows cannot tell them, by voter; those that are not named count 1. `earlier` are
    scales of the model that this one goes on from, by voter: a few rows move them little.
    """

    votes: Votes
    further: Votes = field(default_factory=dict)
    further_targets: NDArray[np.generic] | None = None
    weights: Mapping[str, float] | None = None
    earlier: Mapping[str, "Scale"] = field(default_factory=dict)

    def taken(self, rows: np.ndarray) -> "VoterGroup":
        """With some of the shared rows, and all others."""
        return replace(self, votes=_rows(self.votes, rows))

    def scales(self, targets: np.ndarray, borrowed: float) -> "VoteScales":
        if self.further_targets is None:
            return VoteScales.fit(self.votes, targets, borrowed, self.weights, self.earlier)
        joined = {name: np.concatenate([votes, self.further[name]]) for name, votes in self.votes.items()}
        truth = np.concatenate([targets, self.further_targets])
        return VoteScales.fit(joined, truth, borrowed, self.weights, self.earlier)


def weighed(
    groups: Sequence[VoterGroup], weights: Mapping[str, float] | None, earlier: "VoteScales | None" = None
) -> list[VoterGroup]:
    """The groups with given weights; without any their weights are fitted.

    Args:
        earlier: how the model that this one goes on from hears the voters of a single question; what each counted
            there is part of its scale, so that few rows leave the sum as it was.
    """
    known = {} if earlier is None else {name: earlier.heard(name, weights or {}) for name in earlier.voters}
    return [replace(group, weights=weights or None, earlier=known) for group in groups]


@dataclass(frozen=True)
class Scale:
    """Platt scaling of one voter: `slope * score + intercept`, each `(questions,)`."""

    slope: tuple[float, ...]
    intercept: tuple[float, ...]

    @classmethod
    def fit(cls, scores: np.ndarray, targets: np.ndarray, borrowed: float, earlier: "Scale | None" = None) -> Self:
        """Each question's rows, and beside them those of all questions, which count as `borrowed` positive ones; or an
        earlier scale of a single question, which counts as EARLIER_ROWS.

        A question that a voter answers the wrong way round takes the scale of all; a voter that is wrong more often
        than right on the whole is not heard.
        """
        prior = PlattPrior.pooled(scores, targets, borrowed)
        if earlier is not None:
            prior = PlattPrior.around((earlier.slope[0], earlier.intercept[0]), scores, EARLIER_ROWS)
        pooled = prior.mean if prior.mean[0] > 0 else np.zeros(2)
        found = fit_platt(scores, targets, prior)
        found = np.where(found[:, :1] > 0, found, pooled)
        return cls(tuple(found[:, 0].tolist()), tuple(found[:, 1].tolist()))

    def times(self, weight: float) -> Self:
        """What a voter says that counts so much."""
        return type(self)(*(tuple(weight * value for value in part) for part in (self.slope, self.intercept)))

    def log_odds(self, scores: np.ndarray) -> Floats:
        """Calibrated log-odds `(rows, questions)`."""
        return np.asarray(np.asarray(scores, np.float64) * self.slope + self.intercept)


@dataclass(frozen=True)
class VoteScales:
    """Every voter's scale, and how much it counts in the sum: 1 where `weights` is silent."""

    voters: Mapping[str, Scale]
    weights: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        votes: Votes,
        targets: np.ndarray,
        borrowed: float = 0.0,
        weights: Mapping[str, float] | None = None,
        earlier: Mapping[str, Scale] | None = None,
    ) -> Self:
        """Fit one group's scales and weights on `votes` and targets of 0 and 1, `(rows, questions)`.

        Args:
            borrowed: how many positive rows' worth each question takes from all questions, see `Scale.fit`.
            weights: given ones, by voter, instead of fitted ones.
            earlier: scales, by voter, that are leant on where rows are few; of a single question.
        """
        scales = _fit_scales(votes, targets, borrowed, earlier or {})
        if weights is not None:
            return cls(scales, {name: weights[name] for name in votes if name in weights})
        if len(votes) == 1:
            return cls(scales)
        calibrated = {name: np.zeros(targets.shape) for name in votes}
        for fitted, scored in _folds(len(targets)):
            for name, scale in _fit_scales(_rows(votes, fitted), targets[fitted], borrowed, earlier or {}).items():
                calibrated[name][scored] = scale.log_odds(votes[name][scored])
        fitted_weights = fit_weights(np.stack([calibrated[name].ravel() for name in votes], axis=1), targets.ravel())
        return cls(scales, dict(zip(votes, fitted_weights.tolist(), strict=True)))

    @classmethod
    def of_groups(cls, groups: Sequence[VoterGroup], targets: np.ndarray, borrowed: float = 0.0) -> Self:
        """Those of all groups together, each fitted on the shared rows and its own."""
        found = [group.scales(targets, borrowed) for group in groups]
        return cls(
            {name: scale for part in found for name, scale in part.voters.items()},
            {name: weight for part in found for name, weight in part.weights.items()},
        )

    def heard(self, name: str, weights: Mapping[str, float]) -> Scale:
        """The scale of a voter that says the same as here under other weights."""
        return self.voters[name].times(self.weights.get(name, 1.0) / (weights.get(name) or 1.0))

    def log_odds(self, votes: Votes) -> Floats:
        """The weighted sum of all voters' calibrated log-odds, `(rows, questions)`.

        Raises:
            KeyError: when a voter is missing.
        """
        parts = [self.weights.get(name, 1.0) * scale.log_odds(votes[name]) for name, scale in self.voters.items()]
        return np.asarray(np.sum(parts, axis=0))

    def to_json(self) -> dict[str, Any]:
        return {
            name: {"weight": self.weights.get(name, 1.0), "slope": [*scale.slope], "intercept": [*scale.intercept]}
            for name, scale in self.voters.items()
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Raises KeyError or TypeError when a scale is missing."""
        scales = {name: Scale(tuple(entry["slope"]), tuple(entry["intercept"])) for name, entry in document.items()}
        return cls(scales, {name: float(entry.get("weight", 1.0)) for name, entry in document.items()})


def stacked(votes: Votes, voters: Sequence[str]) -> np.ndarray:
    """The scores of some voters in one array, float32 `(rows, voters, questions)`, to travel in one column."""
    return np.stack([np.asarray(votes[name], dtype=np.float32) for name in voters], axis=1)


def unstacked(stack: np.ndarray, voters: Sequence[str]) -> dict[str, np.ndarray]:
    """The scores by voter of what `stacked` made; its rows may be flat, `(rows, voters * questions)`.

    Raises:
        ValueError: when they are not of so many voters.
    """
    scores = stack.reshape(len(stack), len(voters), stack[0].size // len(voters) if len(stack) else 0)
    return {name: scores[:, number] for number, name in enumerate(voters)}


def cross_fitted(groups: Sequence[VoterGroup], targets: np.ndarray, borrowed: float = 0.0) -> Floats:
    """The sums `(rows, questions)` of the shared rows, each row's by scales that were fitted on other rows.

    A voter alone keeps its order, which no scale can flatter.
    """
    votes: Votes = ChainMap(*[dict(group.votes) for group in groups])
    found = np.zeros(targets.shape)
    if len(votes) == 1:
        return VoteScales.of_groups(groups, targets, borrowed).log_odds(votes)
    for fitted, scored in _folds(len(targets)):
        scales = VoteScales.of_groups([group.taken(fitted) for group in groups], targets[fitted], borrowed)
        found[scored] = scales.log_odds(_rows(votes, scored))
    return found


def _fit_scales(votes: Votes, targets: np.ndarray, borrowed: float, earlier: Mapping[str, Scale]) -> dict[str, Scale]:
    return {name: Scale.fit(scores, targets, borrowed, earlier.get(name)) for name, scores in votes.items()}


def _folds(rows: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What is fitted on and what is scored, FOLDS times; few rows are scored by themselves."""
    if rows < FOLDS:
        every = np.arange(rows)
        yield every, every
        return
    yield from KFold(FOLDS, shuffle=True, random_state=0).split(np.zeros(rows))


def _rows(votes: Votes, rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: scores[rows] for name, scores in votes.items()}
