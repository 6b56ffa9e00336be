"""What a forecaster would say without a network: the climatology, and how fast an anomaly dies away.

Both are fitted on training days alone. The climatology is a constant and three harmonics of the year, by least squares
for every station and quantity: a month's mean jumps at its borders, and a mean of each calendar day of a few years is
mostly noise. Less than two years give one harmonic, and less than one the mean alone: harmonics say anything about a
part of the year that was never seen. The damped anomaly persistence of lead h is climatology(t + h) + r_h * anomaly(t),
r_h by least squares through the origin.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

logger = logging.getLogger("meteo_ray")

HARMONICS = 3
DAYS_A_YEAR = 365.2425

# Fewer values than this say nothing about seven coefficients; then the mean alone is used.
LEAST_VALUES = 60

# Days from the first value to the last, and how many harmonics they can carry from then on. Damped anomalies of five
# public series on the days after: three harmonics fitted on 200 days had 16 times the squared error of persistence, on
# 450 days with a hole up to 1.6 times (one harmonic: 1.2); from 730 days on up to 1.07 (1.05).
SPANS = ((720, HARMONICS), (360, 1))


def year_waves(days: np.ndarray, harmonics: int = HARMONICS) -> np.ndarray:
    """Sines and cosines of the year, float64 `(days, 2 * harmonics)`; `days` datetime64[D]."""
    phase = 2 * np.pi * (days - np.datetime64("2000-01-01", "D")).astype(np.float64) / DAYS_A_YEAR
    waves = [wave(k * phase) for k in range(1, harmonics + 1) for wave in (np.sin, np.cos)]
    return np.stack(waves, axis=-1)


def harmonics_of(days: np.ndarray) -> int:
    """How many harmonics the days of a series' values can carry; `days` datetime64[D], in order."""
    if len(days) < LEAST_VALUES:
        return 0
    span = int((days[-1] - days[0]) / np.timedelta64(1, "D")) + 1
    return next((harmonics for least, harmonics in SPANS if span >= least), 0)


def tell_short_series(stations: Sequence[str], days: np.ndarray, values: np.ndarray, taught: np.ndarray) -> None:
    """Warn of stations without a year of some quantity that they measure; arrays as in `Climatology.fit`."""
    there = np.isfinite(values) & taught[None, :, None]
    short = [
        name
        for name, measured in zip(stations, there, strict=True)
        if any(column.any() and not harmonics_of(days[column]) for column in measured.T)
    ]
    if short:
        logger.warning(
            "%s: less than a year of days that teach; the climatology is their mean and knows no seasons",
            ", ".join(short),
        )


@dataclass(frozen=True)
class Climatology:
    """Coefficients, float64 `(stations, quantities, 1 + 2 * harmonics)`; zeros where a quantity is never measured."""

    coefficients: np.ndarray

    @classmethod
    def fit(cls, days: np.ndarray, values: np.ndarray, taught: np.ndarray) -> "Climatology":
        """From `values` float64 `(stations, days, quantities)` of the days where `taught` (bool) is true."""
        design = np.concatenate([np.ones((len(days), 1)), year_waves(days)], axis=1)
        stations, _, quantities = values.shape
        coefficients = np.zeros((stations, quantities, design.shape[1]))
        for station, quantity in np.ndindex(stations, quantities):
            series = values[station, :, quantity]
            rows = taught & np.isfinite(series)
            if rows.any():
                known = 1 + 2 * harmonics_of(days[rows])
                found = np.linalg.lstsq(design[rows, :known], series[rows], rcond=None)[0]
                coefficients[station, quantity, :known] = found
        return cls(coefficients)

    def at(self, days: np.ndarray) -> np.ndarray:
        """Float64 `(stations, days, quantities)`."""
        design = np.concatenate([np.ones((len(days), 1)), year_waves(days)], axis=1)
        found: np.ndarray = np.einsum("dk,sqk->sdq", design, self.coefficients)
        return found


@dataclass(frozen=True)
class DampedAnomaly:
    """`damping` float64 `(stations, horizon, quantities)`, from 0 (climatology) to about 1 (persistence)."""

    climatology: Climatology
    damping: np.ndarray

    @classmethod
    def fit(cls, days: np.ndarray, values: np.ndarray, taught: np.ndarray, horizon: int) -> "DampedAnomaly":
        """As `Climatology.fit`; only pairs whose days both teach are used."""
        climatology = Climatology.fit(days, values, taught)
        anomalies = values - climatology.at(days)
        anomalies = np.where(taught[None, :, None], anomalies, np.nan)
        damping = np.zeros((values.shape[0], horizon, values.shape[2]))
        for lead in range(1, horizon + 1):
            product = anomalies[:, :-lead] * anomalies[:, lead:]
            square = np.where(np.isfinite(product), anomalies[:, :-lead] ** 2, np.nan)
            damping[:, lead - 1] = np.nansum(product, axis=1) / np.maximum(np.nansum(square, axis=1), 1e-12)
        return cls(climatology, damping)

    def forecast(self, days: np.ndarray, values: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """Float64 `(stations, origins, horizon, quantities)`; without a value at the origin the climatology.

        `values` are read at `origins` only; `days` may end there.
        """
        horizon = self.damping.shape[1]
        anomaly = values[:, origins] - self.climatology.at(days[origins])
        anomaly = np.nan_to_num(anomaly)[:, :, None] * self.damping[:, None]
        leads = np.arange(1, horizon + 1)
        asked = (days[origins][:, None] + leads[None]).ravel()
        mean = self.climatology.at(asked).reshape(values.shape[0], len(origins), horizon, -1)
        found: np.ndarray = mean + anomaly
        return found


def carried_forward(values: np.ndarray) -> np.ndarray:
    """Gaps of `(stations, days, quantities)` filled with the last value before them; NaN before the first one."""
    at = np.where(np.isfinite(values), np.arange(values.shape[1])[None, :, None], 0)
    np.maximum.accumulate(at, axis=1, out=at)
    return np.take_along_axis(values, at, axis=1)
