"""The jobs that use trained forecasts: forecasting, and scoring on test days."""

import logging
from typing import Any

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.files import SIGN, require_file_place, require_ours, write_json
from meteo_ray.forecast import plots
from meteo_ray.forecast.bundle import STAGE
from meteo_ray.forecast.config import EvaluateForecastJob, ForecastJob, SeriesJob
from meteo_ray.forecast.output import CSV, NETCDF, write_csv, write_netcdf
from meteo_ray.forecast.page import write_page
from meteo_ray.forecast.predictor import Ensemble, Forecasts
from meteo_ray.forecast.scoring import BASE, judge, means, scores
from meteo_ray.forecast.series.panel import Panel
from meteo_ray.forecast.series.quantities import QUANTITIES
from meteo_ray.forecast.series.reading import read_panel
from meteo_ray.forecast.series.source import load_source
from meteo_ray.metrics.block_bootstrap import shown
from meteo_ray.versions import versions

logger = logging.getLogger("meteo_ray")

# A plot of more days than this is a blue block.
MOST_PLOTTED = 400


def load(job: SeriesJob) -> tuple[Ensemble, Panel]:
    """The trained forecast (with its members) and the measured days, both checked."""
    if job.models is None or job.data is None:
        missing = "models" if job.models is None else "data"
        raise UsageError(f"--{missing} is required (or set METEO_RAY_{missing.upper()})")
    ensemble = Ensemble.load([job.models / STAGE, *(folder / STAGE for folder in job.members)])
    source = load_source(job.source) if job.source else ensemble.first.source
    panel, _ = read_panel(source, job.data)
    return ensemble, ensemble.first.fitting(panel)


def forecast(job: ForecastJob) -> None:
    """Forecast from every day asked for; CSV, NetCDF and a plot for every station and target."""
    signs = (CSV, NETCDF)
    require_ours(job.out, "forecast", *signs)
    if any((job.out / name).exists() for name in signs) and not job.overwrite:
        raise UsageError(f"{job.out}: holds a forecast; --overwrite replaces it")
    ensemble, panel = load(job)
    found = ensemble.forecast(panel, _asked(job, panel, ensemble.first.settings.lookback))
    job.out.mkdir(parents=True, exist_ok=True)
    (job.out / SIGN).touch()
    targets = ensemble.first.targets
    write_csv(job.out / CSV, panel, targets, found)
    history = f"meteo_ray {versions()['meteo_ray']}, model {ensemble.first.version}"
    write_netcdf(job.out / NETCDF, panel, targets, found, history)
    for station, name in enumerate(panel.stations):
        for target, quantity in enumerate(targets):
            path = job.out / f"{_plain(name)}_{quantity}.png"
            path.write_bytes(_plot(panel, found, station, target, quantity))
    print(f"{len(found.origins)} forecasts of {len(panel.stations)} stations: {job.out / CSV}, {job.out / NETCDF}")


def _asked(job: ForecastJob, panel: Panel, lookback: int) -> np.ndarray:
    """Positions of the days to forecast from. Raises UsageError when none of them has enough days before it."""
    last = panel.days[-1] if job.end is None else np.datetime64(job.end, "D")
    first = last if job.start is None else np.datetime64(job.start, "D")
    at = np.flatnonzero((panel.days >= first) & (panel.days <= last))
    at = at[at >= lookback - 1]
    if not len(at):
        raise UsageError(
            f"no day from {first} to {last} has {lookback} days before it; the files hold {panel.days[0]} to "
            f"{panel.days[-1]}"
        )
    return at


def _plot(panel: Panel, found: Forecasts, station: int, target: int, quantity: str) -> bytes:
    """From one day all leads after what was measured; from several days the first lead."""
    unit, column = QUANTITIES[quantity].unit, panel.quantities.index(quantity)
    title = f"{panel.stations[station]}: {quantity.replace('_', ' ')}"
    if len(found.origins) == 1:
        known = panel.days[found.origins[0]]
        days = known + np.arange(1, found.point.shape[2] + 1)
        return plots.series(
            f"{title}, known until {known}", unit, days, found.point[0, station, :, target],
            found.quantiles[0, station, :, target],
        )  # fmt: skip
    origins = found.origins[-MOST_PLOTTED:]
    after = np.minimum(origins + 1, len(panel.days) - 1)
    measured = np.where(origins + 1 < len(panel.days), panel.values[station, after, column], np.nan)
    rows = slice(-len(origins), None)
    return plots.series(
        f"{title}, one day ahead", unit, panel.days[origins] + 1, found.point[rows, station, 0, target],
        found.quantiles[rows, station, 0, target], measured,
    )  # fmt: skip


def evaluate(job: EvaluateForecastJob) -> None:
    """Score on the test days of the training's own split; JSON and a page beside it."""
    require_file_place(job.out)
    ensemble, panel = load(job)
    judged = judge(ensemble, panel, ensemble.split(panel.days), job.rain_from)
    entries = scores(judged, job.seed, job.rounds)
    summary: dict[str, Any] = {
        **means(entries),
        "members": [member.version for member in ensemble.members],
        "settings": ensemble.first.settings.model_dump(mode="json"),
        "versions": versions(),
    }
    job.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(job.out, {"summary": summary, "entries": entries})
    page = job.out.with_suffix(".html")
    write_page(page, judged, entries, summary)
    for line in _lines(entries):
        print(line)
    print(f"metrics: {job.out}   page: {page}")


def _lines(entries: list[dict[str, Any]]) -> list[str]:
    """One line for every station and target one day ahead, for the terminal."""
    lines = []
    for entry in entries:
        if entry["lead"] == 1:
            skill = shown(entry["skill_against"].get(BASE)) or "no error to be better than"
            mse = {name: scores["mse"] for name, scores in entry["scores"].items()}
            errors = "  ".join(f"{name} {value:.3f}" for name, value in mse.items())
            gain = f"against the damped anomaly {skill}"
            lines.append(f"{entry['station']} {entry['target']} ({entry['days']} days)  MSE {errors}  {gain}")
    return lines


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)
