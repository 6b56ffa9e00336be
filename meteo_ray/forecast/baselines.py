"""What every forecast is compared with, on the same windows: from "tomorrow is like today" to gradient boosting.

All of them are fitted on the days that may teach, and read at t only what was known at t.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV

from meteo_ray.forecast.climatology import Climatology, DampedAnomaly, carried_forward, year_waves
from meteo_ray.forecast.series.panel import Panel
from meteo_ray.forecast.series.quantities import cut_at_zero

LAGS = 7
"""Days that ridge and boosting read."""

PENALTIES = tuple(10.0**power for power in range(-1, 6))


Baseline = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A fitted rival: values `(stations, days, quantities)`, origins `(n,)` -> `(stations, n, horizon, targets)`."""


@dataclass(frozen=True)
class Question:
    """What is asked: the panel's days, which of them may teach, the targets' positions among the quantities."""

    panel: Panel
    taught: np.ndarray
    targets: tuple[int, ...]
    horizon: int


def persistence(asked: Question) -> Baseline:
    """The last value that was measured; the climatology before the first one."""
    climatology = Climatology.fit(asked.panel.days, asked.panel.values, asked.taught)

    def forecast(values: np.ndarray, origins: np.ndarray) -> np.ndarray:
        last = carried_forward(values)[:, origins][:, :, list(asked.targets)]
        mean = climatology.at(asked.panel.days[origins])[:, :, list(asked.targets)]
        return np.repeat(np.where(np.isfinite(last), last, mean)[:, :, None], asked.horizon, axis=2)

    return forecast


def climatology(asked: Question) -> Baseline:
    """The mean of the time of the year."""
    found = DampedAnomaly(
        Climatology.fit(asked.panel.days, asked.panel.values, asked.taught),
        np.zeros((len(asked.panel.stations), asked.horizon, len(asked.panel.quantities))),
    )
    return _of_targets(found, asked)


def damped_anomaly(asked: Question) -> Baseline:
    """Climatology and what is left of today's anomaly: the one to beat."""
    found = DampedAnomaly.fit(asked.panel.days, asked.panel.values, asked.taught, asked.horizon)
    return _of_targets(found, asked)


def seasonal_naive(asked: Question) -> Baseline:
    """The same date of the year before (365 days); the climatology where there was none."""
    climatology = Climatology.fit(asked.panel.days, asked.panel.values, asked.taught)
    targets = list(asked.targets)

    def forecast(values: np.ndarray, origins: np.ndarray) -> np.ndarray:
        parts = []
        for lead in range(1, asked.horizon + 1):
            before = origins + lead - 365
            mean = climatology.at(asked.panel.days[origins] + lead)[:, :, targets]
            last = values[:, np.maximum(before, 0)][:, :, targets]
            parts.append(np.where((before >= 0)[None, :, None] & np.isfinite(last), last, mean))
        return np.stack(parts, axis=2)

    return forecast


def ridge(asked: Question) -> Baseline:
    """Linear regression on the last seven days of every quantity; the penalty by leave-one-out on what may teach."""

    def fitted(inputs: np.ndarray, targets: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        model = RidgeCV(alphas=PENALTIES).fit(np.nan_to_num(inputs), targets)
        return lambda asked_inputs: np.asarray(model.predict(np.nan_to_num(asked_inputs)))

    return _learnt(asked, fitted)


def gradient_boosting(asked: Question) -> Baseline:
    """Boosted trees on the inputs of `ridge`; scikit-learn's defaults."""

    def fitted(inputs: np.ndarray, targets: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        known = np.isfinite(inputs).any(axis=0)  # it cannot be fitted to what a station never measures
        model = HistGradientBoostingRegressor(random_state=0).fit(np.where(known, inputs, 0.0), targets)
        return lambda asked_inputs: np.asarray(model.predict(np.where(known, asked_inputs, 0.0)))

    return _learnt(asked, fitted)


BASELINES: dict[str, Callable[[Question], Baseline]] = {
    "persistence": persistence,
    "climatology": climatology,
    "seasonal_naive": seasonal_naive,
    "damped_anomaly": damped_anomaly,
    "ridge": ridge,
    "gradient_boosting": gradient_boosting,
}


def rivals(asked: Question) -> dict[str, Baseline]:
    """All of BASELINES, fitted; where a quantity is never negative their forecasts are cut at zero as the network's."""
    names = [asked.panel.quantities[target] for target in asked.targets]
    return {name: _cut(baseline(asked), names) for name, baseline in BASELINES.items()}


def _cut(baseline: Baseline, names: list[str]) -> Baseline:
    return lambda values, origins: cut_at_zero(baseline(values, origins), names, axis=-1)


def _of_targets(found: DampedAnomaly, asked: Question) -> Baseline:
    days = asked.panel.days
    return lambda values, origins: found.forecast(days, values, origins)[..., list(asked.targets)]


def _learnt(
    asked: Question, fitted: Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]
) -> Baseline:
    """One model for every station, lead and target, of the target's anomaly."""
    days, values = asked.panel.days, asked.panel.values
    base = Climatology.fit(days, values, asked.taught)
    taught = np.where(asked.taught[None, :, None], values - base.at(days), np.nan)
    spread = np.ma.masked_invalid(taught).std(axis=1).filled(np.nan)  # nanstd warns where nothing is measured
    spread = np.where(np.isfinite(spread) & (spread > 0), spread, 1.0)
    models = {}
    for lead in range(1, asked.horizon + 1):
        origins = _teaching_origins(asked.taught, lead)
        for station in range(len(asked.panel.stations)):
            inputs = _inputs(base, spread, days, values, station, origins, lead)
            for number, target in enumerate(asked.targets):
                wanted = values[station, origins + lead, target] - base.at(days[origins + lead])[station, :, target]
                there = np.isfinite(wanted)
                if there.sum() > LAGS:
                    models[station, lead, number] = fitted(inputs[there], wanted[there])

    def forecast(given: np.ndarray, origins: np.ndarray) -> np.ndarray:
        found = np.zeros((len(asked.panel.stations), len(origins), asked.horizon, len(asked.targets)))
        for (station, lead, number), model in models.items():
            inputs = _inputs(base, spread, days, given, station, origins, lead)
            found[station, :, lead - 1, number] = model(inputs)
        leads = np.arange(1, asked.horizon + 1)
        mean = base.at((days[origins][:, None] + leads).ravel())[..., list(asked.targets)]
        whole: np.ndarray = found + mean.reshape(found.shape)
        return whole

    return forecast


def _teaching_origins(taught: np.ndarray, lead: int) -> np.ndarray:
    """Days whose seven last days and whose day of the lead all teach."""
    count = np.concatenate([[0], np.cumsum(taught)])
    origins = np.arange(LAGS - 1, len(taught) - lead)
    whole = count[origins + lead + 1] - count[origins - LAGS + 1] == lead + LAGS
    found: np.ndarray = origins[whole]
    return found


def _inputs(
    base: Climatology, spread: np.ndarray, days: np.ndarray, values: np.ndarray, station: int, origins: np.ndarray,
    lead: int,
) -> np.ndarray:  # fmt: skip
    """Scaled anomalies of the last days of every quantity and the year's waves on the day of the lead."""
    anomalies = (values[station] - base.at(days)[station]) / spread[station]
    lags = np.concatenate([anomalies[origins - back] for back in range(LAGS)], axis=1)
    return np.concatenate([lags, year_waves(days[origins] + lead)], axis=1)
