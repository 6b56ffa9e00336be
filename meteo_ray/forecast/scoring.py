"""A forecast on test days beside everything that it is compared with, on the same windows.

Baselines learn from all days before the test; a network learns from those that are not its validation days. Every
comparison is paired: losses of the same days, blocks of days drawn together (metrics/block_bootstrap.py).
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.forecast.baselines import Question, rivals
from meteo_ray.forecast.climatology import tell_short_series
from meteo_ray.forecast.config import LEVELS
from meteo_ray.forecast.predictor import Ensemble, Forecasts
from meteo_ray.forecast.rain import rain_scores
from meteo_ray.forecast.series.panel import OUTSIDE, Panel
from meteo_ray.forecast.series.quantities import QUANTITIES, cut_at_zero
from meteo_ray.forecast.series.splits import origins
from meteo_ray.forecast.windows import truth
from meteo_ray.metrics.block_bootstrap import paired_skill
from meteo_ray.metrics.quantile_scores import coverage, crps
from meteo_ray.schema import TEST

NETWORK = "network"
BASE = "damped_anomaly"

# Whose spread is known without a network: that of its errors on the days that teach.
WITH_SPREAD = ("persistence", "climatology", BASE)


@dataclass(frozen=True)
class Judged:
    """Forecasts of all contenders for the test windows, with what happened.

    `points` name -> `(n, stations, horizon, targets)`; `quantiles` likewise with levels last; `measured` as `points`.
    """

    panel: Panel
    targets: tuple[str, ...]
    forecasts: Forecasts
    measured: np.ndarray
    points: dict[str, np.ndarray]
    quantiles: dict[str, np.ndarray]
    dry: float
    """mm below which a day has no rain."""
    wet_share: np.ndarray
    """How often it rained on days that teach, `(stations, targets)`; of other quantities it means nothing."""


def judge(ensemble: Ensemble, panel: Panel, split: np.ndarray, rain_from: float) -> Judged:
    """Run the networks and all baselines over the test windows of `split`, text `(days,)`.

    Raises:
        UsageError: when no target was measured on any test day.
    """
    own = ensemble.first.fitting(panel)
    settings, targets = ensemble.first.settings, ensemble.first.windows.targets
    at = origins(split, TEST, max(settings.lookback, 7), settings.horizon)
    taught = (split != TEST) & (split != OUTSIDE)
    measured = truth(own, at, settings.horizon, targets, split == TEST)
    tell_short_series(own.stations, own.days, own.values, taught)
    if not np.isfinite(measured).any():
        tested = own.days[split == TEST]
        raise UsageError(
            f"nothing to score: {', '.join(ensemble.first.targets)} was not measured on any test day, {tested[0]} to "
            f"{tested[-1]}, that has {max(settings.lookback, 7)} days before it"
        )
    forecasts = ensemble.forecast(panel, at)
    points, quantiles = {NETWORK: forecasts.point}, {NETWORK: forecasts.quantiles}
    question = Question(own, taught, targets, settings.horizon)
    for name, rival in rivals(question).items():
        points[name] = rival(own.values, at).transpose(1, 0, 2, 3)
        if name in WITH_SPREAD:
            before = np.flatnonzero(taught[:-1])
            errors = truth(own, before, settings.horizon, targets, taught)
            errors = errors - rival(own.values, before).transpose(1, 0, 2, 3)
            spread = np.nanquantile(errors, LEVELS, axis=0)
            spread_out = points[name][..., None] + np.moveaxis(spread, 0, -1)
            quantiles[name] = cut_at_zero(spread_out, ensemble.first.targets, axis=-2)
    known = own.values[:, taught][:, :, list(targets)]
    wet = np.nanmean(np.where(np.isfinite(known), known >= rain_from, np.nan), axis=1)
    names = ensemble.first.targets
    return Judged(own, names, forecasts, measured, points, quantiles, rain_from, wet)


def scores(judged: Judged, seed: int = 0, rounds: int = 2000) -> list[dict[str, Any]]:
    """An entry for every station, target and lead: each contender's errors, and the network's skill with intervals."""
    entries = []
    for station, name in enumerate(judged.panel.stations):
        for target, quantity in enumerate(judged.targets):
            for lead in range(judged.measured.shape[2]):
                chosen = (slice(None), station, lead, target)
                if not np.isfinite(judged.measured[chosen]).any():
                    continue
                entry: dict[str, Any] = {"station": name, "target": quantity, "lead": lead + 1}
                entry["unit"] = QUANTITIES[quantity].unit
                entry |= _entry(judged, chosen, seed, rounds)
                if quantity == "precipitation":
                    wet = float(judged.wet_share[station, target])
                    entry["rain"] = rain_scores(
                        judged.measured[chosen],
                        {who: points[chosen] for who, points in judged.points.items()},
                        judged.quantiles[NETWORK][chosen],
                        wet,
                        judged.dry,
                    )
                entries.append(entry)
    return entries


def _entry(judged: Judged, chosen: tuple[Any, ...], seed: int, rounds: int) -> dict[str, Any]:
    measured = judged.measured[chosen]
    errors = {name: points[chosen] - measured for name, points in judged.points.items()}
    squared = {name: error**2 for name, error in errors.items()}
    sure = {name: crps(measured, quantiles[chosen], LEVELS) for name, quantiles in judged.quantiles.items()}
    table = {
        name: {
            "mse": float(np.nanmean(squared[name])),
            "rmse": float(np.sqrt(np.nanmean(squared[name]))),
            "mae": float(np.nanmean(np.abs(error))),
            "bias": float(np.nanmean(error)),
            **({"crps": float(np.nanmean(sure[name]))} if name in sure else {}),
        }
        for name, error in errors.items()
    }
    against = {
        name: asdict(found)
        for name in judged.points
        if name != NETWORK and (found := paired_skill(squared[NETWORK], squared[name], seed, rounds=rounds)) is not None
    }
    surer = {
        name: asdict(found)
        for name in sure
        if name != NETWORK and (found := paired_skill(sure[NETWORK], sure[name], seed, rounds=rounds)) is not None
    }
    return {
        "days": int(np.isfinite(measured).sum()),
        "scores": table,
        "skill_against": against,
        "crps_skill_against": surer,
        "coverage": coverage(measured, judged.quantiles[NETWORK][chosen], LEVELS),
    }


def means(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """For the log and for sweeps of days: the network's skill one day ahead against the damped anomaly, by station."""
    first = [entry for entry in entries if entry["lead"] == 1 and BASE in entry["skill_against"]]
    sure = [(f"{entry['station']} {entry['target']}", entry["skill_against"][BASE]) for entry in first]
    sure = [(name, found) for name, found in sure if found["low"] is not None]  # too few days say neither
    return {
        "skill_day_1": float(np.mean([entry["skill_against"][BASE]["skill"] for entry in first])) if first else None,
        "better_day_1": [name for name, found in sure if found["low"] > 0],
        "worse_day_1": [name for name, found in sure if found["high"] < 0],
    }
