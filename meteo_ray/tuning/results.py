"""What a sweep leaves for other jobs: trials.csv, and best.yaml, which a job takes as --config."""

from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import yaml
from optuna.trial import TrialState

from meteo_ray.config import JobConfig
from meteo_ray.files import write_atomically
from meteo_ray.tuning import study as memory
from meteo_ray.tuning.space import Values

# How a trial's end is called.
ENDS = {
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "ended early",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def table_of(study: optuna.Study) -> pd.DataFrame:
    """A line for every trial that was begun, the best first: number, end, objectives, epochs, seconds, settings.

    One that was cut off and goes on has a new number in the study; its latest try alone stands here.
    """
    names = study.metric_names or ["score"]
    begun = [trial for trial in study.get_trials(deepcopy=False) if trial.state != TrialState.WAITING]
    latest = {memory.folder_of(trial): trial for trial in begun}
    lines = []
    for trial in latest.values():
        attributes = trial.user_attrs
        values = dict(zip(names, trial.values or (), strict=False))
        end = "cut off" if attributes.get(memory.CUT_OFF) else ENDS[trial.state]
        lines.append(
            {
                "trial": trial.number,
                "end": end,
                **{name: values.get(name) for name in names},
                "epochs": attributes.get("epochs"),
                "seconds": attributes.get("seconds"),
                "why": attributes.get(memory.WHY),
                **trial.params,
            }
        )
    table = pd.DataFrame(lines)
    return table.sort_values([names[0], "trial"], ascending=[False, True], na_position="last") if lines else table


def write_table(path: Path, study: optuna.Study) -> None:
    write_atomically(path, table_of(study).to_csv(index=False))


def write_best(path: Path, given: Path | None, base: JobConfig, values: Values) -> None:
    """The settings that a job needs besides its folders: those of the file `given`, with the best trial's values."""
    kept = set(yaml.safe_load(given.read_text("utf-8-sig")) or {}) if given else set()
    changed = {name.split(".")[0] for name in values}
    wanted = {name.replace("-", "_") for name in kept} | changed
    document: dict[str, Any] = base.with_values(**values).model_dump(mode="json", include=wanted)
    write_atomically(path, yaml.safe_dump(document, allow_unicode=True, sort_keys=False))
