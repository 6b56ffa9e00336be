"""What to try next, read off the trials of a sweep."""

import warnings
from collections import Counter

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from meteo_ray.tuning import study as memory
from meteo_ray.tuning.space import place_in

# A best value in the outermost tenth of its range may go on getting better outside.
EDGE = 0.1

# Fewer trials cannot tell which settings matter.
LEAST_TRIALS = 10

# A setting to which less than this share of the differences is owed may stay as it is.
IDLE = 0.03


def advice(study: optuna.Study, chosen: FrozenTrial | None) -> list[str]:
    """Sentences for people, the most urgent first."""
    found = _failures(study)
    if chosen is not None:
        found += _edges(chosen) + _still_rising(chosen)
    return found + _idle(study) + _goes_on(study, chosen) or ["Nothing stands out: more trials would tell more."]


def _failures(study: optuna.Study) -> list[str]:
    failed = [trial for trial in study.get_trials(deepcopy=False) if trial.state == TrialState.FAIL]
    reasons = Counter(
        trial.user_attrs.get(memory.WHY, "no reason known")
        for trial in failed
        if not trial.user_attrs.get(memory.CUT_OFF)
    )
    return [f"{count} trial{'s' if count > 1 else ''} failed: {reason}" for reason, count in reasons.most_common(3)]


def _edges(chosen: FrozenTrial) -> list[str]:
    found = []
    for name, distribution in chosen.distributions.items():
        if isinstance(distribution, CategoricalDistribution):
            continue
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        share = place_in(distribution, chosen.params[name])
        if not EDGE <= share <= 1 - EDGE:
            end, wider = ("lower", distribution.low) if share < EDGE else ("upper", distribution.high)
            found.append(f"{name} {chosen.params[name]:.4g} lies at the {end} end of its range ({wider:g}): widen it.")
    return found


def _still_rising(chosen: FrozenTrial) -> list[str]:
    """An early stop or the end of the epochs came while the score still rose."""
    scores = [chosen.intermediate_values[step] for step in sorted(chosen.intermediate_values)]
    if len(scores) < 2 or scores[-1] <= scores[-2]:
        return []
    return ["The best trial was still getting better in its last epoch: allow more epochs."]


def _idle(study: optuna.Study) -> list[str]:
    ended = memory.complete(study)
    if len(ended) < LEAST_TRIALS or len({trial.values[0] for trial in ended}) < 2:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shares = optuna.importance.get_param_importances(study, target=lambda trial: trial.values[0])
    idle = [name for name, share in shares.items() if share < IDLE]
    return [f"These hardly mattered and may stay as they are: {', '.join(idle)}."] if idle else []


def _goes_on(study: optuna.Study, chosen: FrozenTrial | None) -> list[str]:
    """Where the best came late, or by little."""
    tried, ended = len(memory.tried(study)), memory.complete(study)
    if chosen is None or len(ended) < 2:
        return ["Too few trials ended to compare: go on with --resume and more --trials or --hours."] if chosen else []
    found = []
    if chosen.number >= 0.75 * tried:
        found.append("The best came among the last trials: go on with --resume and more --trials.")
    trained = bool(ended[0].intermediate_values)
    if (
        trained
        and len(ended) >= LEAST_TRIALS
        and ended[0].values[0] - ended[4].values[0] < 0.1 * abs(ended[0].values[0] - ended[-1].values[0])
    ):
        found.append("The best five differ little: compare them with other seeds before believing in one of them.")
    return found
