"""What a forecaster would say without a network: the climatology, and how fast an anomaly dies away.

Both are fitted on training days alone. The climatology is a constant and three harmonics of the year, by least squares
for every station and quantity: a month's mean jumps at its borders, and a mean of each calendar day of a few years is
mostly noise. The damped anomaly persistence of lead h is climatology(t + h) + r_h * anomaly(t), r_h by least squares
through the origin.
"""

from dataclasses import dataclass

import numpy as np

HARMONICS = 3
DAYS_A_YEAR = 365.2425

# Fewer values than this say nothing about seven coefficients; then the mean alone is used.
LEAST_VALUES = 60


def year_waves(days: np.ndarray, harmonics: int = HARMONICS) -> np.ndarray:
    """Sines and cosines of the year, float64 `(days, 2 * harmonics)`; `days` datetime64[D]."""
    phase = 2 * np.pi * (days - np.datetime64("2000-01-01", "D")).astype(np.float64) / DAYS_A_YEAR
    waves = [wave(k * phase) for k in range(1, harmonics + 1) for wave in (np.sin, np.cos)]
    return np.stack(waves, axis=-1)


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
            if rows.sum() >= LEAST_VALUES:
                coefficients[station, quantity] = np.linalg.lstsq(design[rows], series[rows], rcond=None)[0]
            elif rows.any():
                coefficients[station, quantity, 0] = series[rows].mean()
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
