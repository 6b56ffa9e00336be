"""A sweep's memory: one Optuna study in a journal file, which everything else is derived from.

A journal is appended to, never rewritten, and needs no locks that network mounts lack, as SQLite does; optuna-dashboard
opens it. A trial that a kill cut off is told as failed and waits again, under a new number but with its old folder,
where its last checkpoint lies.
"""

import logging
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.exceptions import ExperimentalWarning
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from meteo_ray.errors import UsageError

logger = logging.getLogger("meteo_ray")

JOURNAL = "study.journal"

# User attributes: of the study what it was begun with; of a trial its folder, why it failed, whether it was cut off.
MADE_OF, WATCHED = "made_of", "watched"
FOLDER, WHY, CUT_OFF = "folder", "why", "cut_off"

INTERRUPTED = "the sweep was interrupted"

# A trial whose process dies twice has a reason that a third try would meet again.
TRIES = 2


@dataclass(frozen=True)
class Objective:
    """What is improved: its name in the metrics, and in words."""

    name: str
    words: str


def storage_of(folder: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(folder / JOURNAL)))


def begin(
    folder: Path,
    name: str,
    objectives: Sequence[Objective],
    made_of: Mapping[str, str],
    distributions: Mapping[str, BaseDistribution],
    points: Sequence[Mapping[str, Any]],
) -> optuna.Study:
    """A new study with its first points waiting."""
    study = optuna.create_study(study_name=name, storage=storage_of(folder), directions=["maximize"] * len(objectives))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        study.set_metric_names([objective.name for objective in objectives])
    study.set_user_attr(WATCHED, [objective.words for objective in objectives])
    for point in points:
        study.enqueue_trial(dict(point))
    # Last: with it the study is whole, and can be gone on with.
    study.set_user_attr(MADE_OF, {**made_of, "space": _space_of(distributions)})
    return study


def go_on(
    folder: Path,
    name: str,
    objectives: Sequence[Objective],
    made_of: Mapping[str, str],
    distributions: Mapping[str, BaseDistribution],
) -> optuna.Study:
    """The study of an earlier call; trials that were cut off wait again.

    Raises:
        UsageError: when the sweep was begun with other settings, data or objectives, or not begun to the end.
    """
    _drop_torn_line(folder / JOURNAL)
    never_begun = f"{folder}: the sweep here was interrupted before its first trial; --overwrite begins it anew"
    try:
        study = optuna.load_study(study_name=name, storage=storage_of(folder))
    except KeyError:
        raise UsageError(never_begun) from None
    if MADE_OF not in study.user_attrs:
        raise UsageError(never_begun)
    wanted = {**made_of, "space": _space_of(distributions), "--objectives": [entry.name for entry in objectives]}
    begun = {**study.user_attrs[MADE_OF], "--objectives": study.metric_names}
    changed = [part for part in wanted if begun.get(part) != wanted[part]]
    if changed:
        raise UsageError(
            f"{folder}: this sweep was begun with another {', another '.join(changed)}; its trials cannot be compared "
            "with new ones: give the same again, or --overwrite to begin anew"
        )
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        cut_off(study, trial, INTERRUPTED)
    put_back(study)
    return study


def _drop_torn_line(journal: Path) -> None:
    """A full disk or a power cut may leave half a line; what is appended to it, no reader would understand."""
    written = journal.read_bytes()
    whole = written.rfind(b"\n") + 1
    if whole < len(written):
        os.truncate(journal, whole)


def cut_off(study: optuna.Study, trial: FrozenTrial | optuna.Trial, why: str) -> None:
    """Tell a trial that did not end by itself; it goes on with `put_back`."""
    storage, number = study._storage, trial._trial_id
    storage.set_trial_user_attr(number, WHY, why)
    storage.set_trial_user_attr(number, CUT_OFF, True)
    study.tell(trial.number, state=TrialState.FAIL)


def put_back(study: optuna.Study) -> None:
    """Let trials that were cut off wait again; none twice, and none that died too often."""
    trials = study.get_trials(deepcopy=False)
    later = {trial.user_attrs.get(FOLDER): trial.number for trial in trials}  # the last of each folder
    for trial in trials:
        place = folder_of(trial)
        if not trial.user_attrs.get(CUT_OFF) or later.get(place, trial.number) > trial.number:
            continue
        if trial.user_attrs.get("deaths", 0) < TRIES:
            attributes = {FOLDER: place, "deaths": trial.user_attrs.get("deaths", 0)}
            study.enqueue_trial(trial.params, user_attrs=attributes)


def folder_of(trial: FrozenTrial | optuna.Trial) -> str:
    """The name of the folder of a trial, or of the one that it goes on with."""
    return str(trial.user_attrs.get(FOLDER, f"{trial.number:04d}"))


def tried(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that have told what they can tell: ended, ended early, or failed for a reason of their own."""
    found = study.get_trials(deepcopy=False)
    ended = [trial for trial in found if trial.state.is_finished()]
    return [trial for trial in ended if not trial.user_attrs.get(CUT_OFF) or trial.user_attrs.get("deaths", 0) >= TRIES]


def complete(study: optuna.Study) -> list[FrozenTrial]:
    """Trials that ran to their end, the best first: by the first objective, of equals by the next; else the earlier.

    So no other is better than the first in one objective and as good in all.
    """
    found = [trial for trial in study.get_trials(deepcopy=False) if trial.state == TrialState.COMPLETE]
    return sorted(found, key=lambda trial: [-value for value in trial.values])


def score_of(trial: FrozenTrial) -> float | None:
    """Its first objective; of one that was cut off that of its best epoch so far, None before its first epoch.

    The last that was told, not the highest: the watched metric decides on the best epoch, an objective may be another.
    """
    if trial.values:
        return float(trial.values[0])
    told = [trial.intermediate_values[step] for step in sorted(trial.intermediate_values)]
    return float(told[-1]) if told and math.isfinite(told[-1]) else None


def default_trial(study: optuna.Study) -> FrozenTrial | None:
    """The trial of the settings that the sweep started from, in its latest try; None before it was begun."""
    found = [trial for trial in study.get_trials(deepcopy=False) if trial.params and folder_of(trial) == "0000"]
    return found[-1] if found else None


def _space_of(distributions: Mapping[str, BaseDistribution]) -> dict[str, str]:
    return {name: distribution_to_json(found) for name, found in distributions.items()}
