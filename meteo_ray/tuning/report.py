"""report.html of a sweep: what a person reads over coffee. One self-contained page; plots are Optuna's own."""

import io
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from matplotlib import pyplot
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization import matplotlib as plots

from meteo_ray.config import JobConfig
from meteo_ray.data_uri import picture_uri
from meteo_ray.files import visible, write_atomically
from meteo_ray.tuning import study as memory
from meteo_ray.tuning.advice import advice
from meteo_ray.tuning.results import table_of
from meteo_ray.tuning.space import value_of
from meteo_ray.versions import versions

logger = logging.getLogger("meteo_ray")

# A table that a person still reads; trials.csv has them all.
LONGEST_TABLE = 50

# Inches and dots of the other reports' wide plots: 1000 x 400 pixels.
SIZE, DOTS_PER_INCH = (10.0, 4.0), 100


@dataclass(frozen=True)
class Check:
    """A measure on one split, before and with the chosen settings."""

    split: str
    name: str
    default: float
    chosen: float


@dataclass(frozen=True)
class Ending:
    """What came of a sweep.

    Args:
        chosen: the trial whose settings are kept; None where the settings that it started from are.
        metrics: of the saved bundle.
        base: the settings that it started from.
        use: what to do -> the command.
        checks: measures of the real thing, before and after.
        warning: what they say against the chosen settings.
    """

    chosen: FrozenTrial | None
    metrics: Mapping[str, Any]
    base: JobConfig
    use: Mapping[str, str]
    checks: Sequence[Check] = field(default_factory=tuple)
    warning: str = ""


def write_report(path: Path, study: optuna.Study, ending: Ending) -> None:
    """Write the page whole or not at all; everything is inline, nothing is fetched."""
    pages = ChoiceLoader([PackageLoader("meteo_ray.tuning", "."), PackageLoader("meteo_ray.evaluation", ".")])  # style
    environment = Environment(loader=pages, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters.update(visible=visible, number=_number)
    table = table_of(study)
    page = environment.get_template("report.html").render(
        study=study,
        objectives=dict(zip(study.metric_names or [], study.user_attrs[memory.WATCHED], strict=True)),
        counts=table["end"].value_counts().to_dict() if len(table) else {},
        best=_best_values(study, ending),
        default=_default_values(study),
        plots=_plots(study),
        settings=_settings(ending),
        metrics={name: value for name, value in ending.metrics.items() if isinstance(value, int | float)},
        checks=ending.checks,
        warning=ending.warning,
        advice=advice(study, ending.chosen),
        use=ending.use,
        columns=list(table.columns),
        rows=table.head(LONGEST_TABLE).astype(object).where(table.notna(), None).values.tolist(),
        trials=len(table),
        versions=versions(),
    )
    write_atomically(path, page)


def _best_values(study: optuna.Study, ending: Ending) -> list[float | None]:
    names = study.metric_names or []
    values = ending.chosen.values if ending.chosen is not None else None
    return list(values) if values else [None] * len(names)


def _default_values(study: optuna.Study) -> list[float | None]:
    """Of the settings that the sweep started from."""
    if "default" in study.user_attrs:
        return list(study.user_attrs["default"])
    trial = memory.default_trial(study)
    return list(trial.values) if trial is not None and trial.values else [None] * len(study.metric_names or [])


def _settings(ending: Ending) -> list[tuple[str, Any, Any]]:
    """Setting, what it was, what it is."""
    if ending.chosen is None:
        return []
    return [(name, value_of(ending.base, name), value) for name, value in sorted(ending.chosen.params.items())]


def _plots(study: optuna.Study) -> dict[str, str]:
    """`data:` URIs of Optuna's plots by title; those that too few trials leave empty are left out."""
    ended = [trial for trial in study.get_trials(deepcopy=False) if trial.state == TrialState.COMPLETE]
    if len(ended) < 2:
        return {}
    names = study.metric_names or []
    wanted: dict[str, Callable[[], Any]] = {}
    for number, name in enumerate(names):
        of_one: dict[str, Any] = {"target": _value(number), "target_name": name} if len(names) > 1 else {}
        wanted[f"{name}: history"] = partial(plots.plot_optimization_history, study, **of_one)
        wanted[f"{name}: importance"] = partial(plots.plot_param_importances, study, **of_one)
        wanted[f"{name}: parallel coordinates"] = partial(plots.plot_parallel_coordinate, study, **of_one)
    if len(names) == 1 and any(len(trial.intermediate_values) > 1 for trial in ended):
        wanted["Epochs of every trial"] = partial(plots.plot_intermediate_values, study)
    if len(names) in (2, 3):
        wanted["Where the objectives conflict"] = partial(plots.plot_pareto_front, study)
    return {title: uri for title, draw in wanted.items() if (uri := _drawn(title, draw))}


def _value(number: int) -> Callable[[FrozenTrial], float]:
    return lambda trial: float(trial.values[number])


def _drawn(title: str, draw: Callable[[], Any]) -> str | None:
    """A plot that Optuna cannot make of these trials is missing on the page, not the page."""
    pyplot.switch_backend("agg")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # these plots are called experimental
            axes = draw()
        figure = (axes if not hasattr(axes, "__len__") else axes[0]).get_figure()
        figure.set_size_inches(*SIZE)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, bbox_inches="tight")
        return picture_uri(buffer.getvalue())
    except (RuntimeError, ValueError) as error:
        logger.warning("report: no plot %r: %s", title, error)
        return None
    finally:
        pyplot.close("all")


def _number(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
