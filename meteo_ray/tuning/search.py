"""Between Ray Tune, which runs trials, and Optuna's study, which suggests them, remembers them and ends weak ones.

Tune's own OptunaSearch tells a trial that a scheduler ended as complete, keeps its state in pickles and its pruner
outside of the study; here the study alone knows, so that an interrupted sweep loses nothing.
"""

import logging
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from meteo_ray.tuning import study as memory
from meteo_ray.tuning.trial_host import ENDED, ERROR, FAULT, PLACE, VALUES

logger = logging.getLogger("meteo_ray")

# The share that goes on at each rung; Optuna's and Tune's default for successive halving.
REDUCTION = 4

# So many trials run to their end before one is called weak: the second is not weak for being worse than the first.
COMPARED_WITH = 4


def pruner_of(grace: int, rounds: int, several: bool) -> optuna.pruners.BasePruner:
    """Successive halving from `grace` epochs on; none where trials are as short as that, or objectives several."""
    if several or grace >= rounds:
        return optuna.pruners.NopPruner()
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=grace, reduction_factor=REDUCTION)


class StudySearch(Searcher):
    """Asks the study for settings and tells it what became of them. `folder` holds a folder for every trial."""

    def __init__(self, study: optuna.Study, distributions: Mapping[str, BaseDistribution], folder: Path) -> None:
        super().__init__()
        self.study, self.distributions, self.folder = study, dict(distributions), folder
        self._open: dict[str, optuna.Trial] = {}
        self._pruned: set[str] = set()

    def suggest(self, trial_id: str) -> dict[str, Any]:
        trial = self.study.ask(fixed_distributions=self.distributions)
        place = memory.folder_of(trial)
        trial.set_user_attr(memory.FOLDER, place)
        self._open[trial_id] = trial
        return {**trial.params, PLACE: str(self.folder / place)}

    def weak(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Note an epoch's score; whether the trial is to end now, for others did better after as many epochs."""
        trial = self._open.get(trial_id)
        if trial is None or result.get(ENDED) or len(self.study.directions) > 1:
            return False
        trial.report(result[VALUES][0], result["epochs"])
        if result["epochs"] < result["acts_from"]:
            return False
        weak = trial.should_prune()  # asked of the first ones too: the study notes who came how far
        if not weak or len(memory.complete(self.study)) < COMPARED_WITH:
            return False
        self._pruned.add(trial_id)
        return True

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Nothing: the scheduler has told `weak`."""

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        trial = self._open.pop(trial_id, None)
        if trial is None:
            return
        place = self.folder / memory.folder_of(trial)
        if result:
            for name in ("epochs", "seconds", "metrics"):
                trial.set_user_attr(name, result.get(name))
        if error:
            self._failed(trial, place)
        elif trial_id in self._pruned:
            self.study.tell(trial, state=TrialState.PRUNED)
        elif result and result.get(ENDED):
            self._ended(trial, list(result[VALUES]))
        else:
            memory.cut_off(self.study, trial, "time was up")
        self._log(trial.number)
        self._tidy()

    def close(self, why: str = "time was up") -> None:
        """Tell the trials that were ended with the sweep; they can go on."""
        for trial in self._open.values():
            memory.cut_off(self.study, trial, why)
        self._open.clear()

    def _ended(self, trial: optuna.Trial, values: list[float]) -> None:
        if all(map(math.isfinite, values)):
            self.study.tell(trial, values)
            return
        trial.set_user_attr(memory.WHY, "its best epoch's score is no number")
        self.study.tell(trial, state=TrialState.FAIL)

    def _failed(self, trial: optuna.Trial, place: Path) -> None:
        """A reason of its own will come again; the machine may be mended, and a process may have died of anything."""
        if (place / ERROR).is_file():
            trial.set_user_attr(memory.WHY, _reason(place / ERROR))
            self.study.tell(trial, state=TrialState.FAIL)
            return
        trial.set_user_attr("deaths", trial.user_attrs.get("deaths", 0) + 1)
        why = _reason(place / FAULT) if (place / FAULT).is_file() else "its process died"
        memory.cut_off(self.study, trial, why)

    def _log(self, number: int) -> None:
        trial = self.study.get_trials(deepcopy=False)[number]
        names = self.study.metric_names or []
        if trial.state == TrialState.FAIL:
            told = trial.user_attrs.get(memory.WHY, "failed")
        else:
            told = "  ".join(f"{name} {value:.4f}" for name, value in zip(names, trial.values or (), strict=False))
        ended = {TrialState.PRUNED: "ended early", TrialState.COMPLETE: "done"}.get(trial.state, "not done")
        tried = len(memory.tried(self.study))
        logger.info(
            "trial %d %s after %s epochs: %s (%d tried)", number, ended, trial.user_attrs.get("epochs"), told, tried
        )

    def _tidy(self) -> None:
        """Weights only of what may be saved or gone on with: a trial of a ResNet-50 holds 0.4 GB."""
        several = len(self.study.directions) > 1
        best = self.study.best_trials if several else memory.complete(self.study)[:1]
        kept = {memory.folder_of(trial) for trial in best}
        for trial in memory.tried(self.study):
            if memory.folder_of(trial) not in kept:
                for name in ("checkpoint", "best"):
                    shutil.rmtree(self.folder / memory.folder_of(trial) / name, ignore_errors=True)

    def save(self, checkpoint_path: str) -> None:
        """The study is on disk already; Tune wants a file."""
        Path(checkpoint_path).touch()

    def __getstate__(self) -> dict[str, Any]:
        return {}


def _reason(error: Path) -> str:
    """The error's own line, at a traceback's end; further lines of a message are indented."""
    lines = [line for line in error.read_text("utf-8").splitlines() if line.strip()]
    return next((line for line in reversed(lines) if not line[0].isspace()), "failed")


class StudyScheduler(FIFOScheduler):
    """Ends the trials that the study's pruner calls weak."""

    def __init__(self, search: StudySearch) -> None:
        super().__init__()
        self._search = search

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        weak = self._search.weak(trial.trial_id, result)
        return TrialScheduler.STOP if weak else TrialScheduler.CONTINUE
