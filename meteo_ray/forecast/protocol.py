"""A published protocol beside the honest one: errors over all days, training days among them, and over test days.

A score "over the whole range" is mostly one over days that were learnt from. With 1462 of 1576 rows of Delhi in
training it is 0.93 times the training error and 0.07 times the test error: a network that knows its training days by
heart looks good, whatever it forecasts. The same columns for the baselines show it: gradient boosting has by far the
best whole-range score of them, and not the best on test days.
"""

from pathlib import Path
from typing import Any

import numpy as np

from meteo_ray.files import write_json
from meteo_ray.forecast.baselines import Question, rivals
from meteo_ray.forecast.bundle import STAGE
from meteo_ray.forecast.config import PaperProtocolJob
from meteo_ray.forecast.predictor import Ensemble
from meteo_ray.forecast.series.panel import OUTSIDE, Panel
from meteo_ray.forecast.series.quantities import QUANTITIES
from meteo_ray.forecast.series.reading import read_panel
from meteo_ray.forecast.windows import truth
from meteo_ray.metrics.score_page import Table, write_score_page
from meteo_ray.schema import TEST, TRAIN, VALIDATION

WHOLE = "whole range"
COLUMNS = (WHOLE, TRAIN, VALIDATION, TEST)


def compare(job: PaperProtocolJob) -> None:
    """Score the trained network of MODELS and all baselines both ways; JSON, a page beside it, and a table."""
    assert job.models is not None
    assert job.data is not None
    ensemble = Ensemble.load([job.models / STAGE])
    panel, _ = read_panel(ensemble.first.source, job.data)
    panel = ensemble.first.fitting(panel)
    entries = protocol_scores(ensemble, panel, ensemble.split(panel.days))
    job.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(job.out, {"entries": entries, "settings": ensemble.first.settings.model_dump(mode="json")})
    write_page(job.out.with_suffix(".html"), entries)
    for entry in entries:
        print(f"{entry['station']} {entry['target']}, one day ahead, MSE in squared {entry['unit']}")
        print(f"{'':<20}" + "".join(f"{name:>14}" for name in COLUMNS))
        for name, found in entry["mse"].items():
            print(f"{name:<20}" + "".join(f"{_number(found[column]):>14}" for column in COLUMNS))
    print(f"metrics: {job.out}   page: {job.out.with_suffix('.html')}")


def protocol_scores(ensemble: Ensemble, panel: Panel, split: np.ndarray) -> list[dict[str, Any]]:
    """For every station and target the squared error one day ahead, by contender, over each of COLUMNS."""
    settings, targets = ensemble.first.settings, ensemble.first.windows.targets
    used = np.flatnonzero(split != OUTSIDE)
    at = np.arange(max(settings.lookback - 1, used[0] + 6), used[-1])
    happened = truth(panel, at, 1, targets)[:, :, 0]
    taught = (split == TRAIN) | (split == VALIDATION)
    question = Question(panel, taught, targets, 1)
    points = {"network": ensemble.forecast(panel, at).point[:, :, 0]}
    for name, rival in rivals(question).items():
        points[name] = rival(panel.values, at)[:, :, 0].transpose(1, 0, 2)
    of_day = split[at + 1]
    rows = {name: np.ones(len(at), bool) if name == WHOLE else of_day == name for name in COLUMNS}
    return [
        {
            "station": station,
            "target": target,
            "unit": QUANTITIES[target].unit,
            "days": {name: int(chosen.sum()) for name, chosen in rows.items()},
            "mse": {
                name: {
                    column: _mean((values[chosen, number, k] - happened[chosen, number, k]) ** 2)
                    for column, chosen in rows.items()
                }
                for name, values in points.items()
            },
        }
        for number, station in enumerate(panel.stations)
        for k, target in enumerate(ensemble.first.targets)
    ]


def write_page(path: Path, entries: list[dict[str, Any]]) -> None:
    """The same as a page."""
    tables = []
    for entry in entries:
        days = entry["days"]
        learnt = (days[TRAIN] + days[VALIDATION]) / max(days[WHOLE], 1)
        note = (
            f"{days[WHOLE]} days, of which {100 * learnt:.1f} % teach: the whole-range score is that part of the error "
            f"on days that were learnt from, and {100 * (1 - learnt):.1f} % of the error on days that were not. "
            "Only the last column says how good a forecast is."
        )
        rows = [[name, *(_number(found[column]) for column in COLUMNS)] for name, found in entry["mse"].items()]
        title = f"{entry['station']}: {entry['target']}, one day ahead, squared {entry['unit']}"
        tables.append(Table(title, ["", *COLUMNS], rows, note))
    write_score_page(path, "A published protocol beside the honest one", __doc__.split("\n\n")[1], tables)


def _mean(squared: np.ndarray) -> float | None:
    return float(np.nanmean(squared)) if np.isfinite(squared).any() else None


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
