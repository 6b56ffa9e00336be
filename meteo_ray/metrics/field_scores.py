"""Scores of forecast fields of rain against observed ones, pooled over fields before anything is divided.

CSI and FSS of single fields cannot be averaged: fields without rain have none, and a mean over the rest depends on
which those are. So hits, misses and squared differences of fractions are summed first (Roberts & Lean 2008 for FSS).
All forecasts are scored where everything was seen: the mask is the same for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass
class FieldScores:
    """Sums over fields of one forecaster at one lead; `add` fields, then `scores`.

    Args:
        grid_km: side of a square of the grid.
        thresholds: mm/h from which it rains.
        windows_km: sides of the FSS' windows.
        power_km: shortest and longest wavelength of the band whose power is compared.
    """

    grid_km: float
    thresholds: Sequence[float] = (0.5, 2.0, 5.0)
    windows_km: Sequence[float] = (2.0, 10.0, 18.0, 34.0)
    power_km: tuple[float, float] = (2.0, 16.0)
    squares: int = 0
    squared: float = 0.0
    absolute: float = 0.0
    signed: float = 0.0
    contingency: dict[float, NDArray[np.int64]] = field(default_factory=dict)
    fractions: dict[tuple[float, float], NDArray[np.float64]] = field(default_factory=dict)
    power: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    def add(self, forecast: Field, observed: Field, seen: Mask) -> None:
        """One field; both in mm/h `(rows, columns)`, scored where `seen`."""
        error = (forecast - observed)[seen].astype(np.float64)
        self.squares += int(seen.sum())
        self.squared += float(np.square(error).sum())
        self.absolute += float(np.abs(error).sum())
        self.signed += float(error.sum())
        masked = [np.where(seen, np.nan_to_num(values), 0).astype(np.float64) for values in (forecast, observed)]
        for threshold in self.thresholds:
            called, rained = (values >= threshold for values in masked)
            counts = [(called & rained & seen).sum(), (~called & rained & seen).sum(), (called & ~rained & seen).sum()]
            self.contingency[threshold] = self.contingency.get(threshold, np.zeros(3, np.int64)) + np.array(counts)
            for window, size in zip(self.windows_km, self._sizes(), strict=True):
                shares = [
                    uniform_filter((call & seen).astype(np.float64), size, mode="constant") for call in (called, rained)
                ]
                difference = np.square(shares[0] - shares[1])[seen].sum()
                worst = (np.square(shares[0]) + np.square(shares[1]))[seen].sum()
                key = threshold, window
                self.fractions[key] = self.fractions.get(key, np.zeros(2)) + np.array([difference, worst])
        self.power += [band_power(values, self.grid_km, self.power_km) for values in masked]

    def scores(self) -> dict[str, float | None]:
        """MSE and MAE, bias, CSI and FSS by threshold (None where it never rained), share of the observed power."""
        found: dict[str, float | None] = {
            "mse": self.squared / self.squares if self.squares else None,
            "mae": self.absolute / self.squares if self.squares else None,
            "bias": self.signed / self.squares if self.squares else None,
        }
        for threshold, (hits, misses, alarms) in self.contingency.items():
            asked = hits + misses + alarms
            there = hits + misses > 0
            found[f"csi_{threshold:g}"] = float(hits / asked) if there else None
            for window in self.windows_km:
                difference, worst = self.fractions[threshold, window]
                found[f"fss_{threshold:g}_{window:g}km"] = float(1 - difference / worst) if there else None
        found["power"] = float(self.power[0] / self.power[1]) if self.power[1] else None
        return found

    def _sizes(self) -> list[int]:
        """Windows in squares of the grid, odd, so that they have a middle."""
        return [max(round(window / self.grid_km) // 2 * 2 + 1, 1) for window in self.windows_km]


def band_power(values: NDArray[np.float64], grid_km: float, band_km: tuple[float, float]) -> float:
    """Summed power of a field in a band of wavelengths in km, radially; a blurred field has little at short ones.

    Wavelengths below two squares of the grid do not exist on it.
    """
    spectrum = np.square(np.abs(np.fft.rfft2(values)))
    rows = np.fft.fftfreq(values.shape[0], grid_km)[:, None]
    columns = np.fft.rfftfreq(values.shape[1], grid_km)[None]
    frequency = np.hypot(rows, columns)
    shortest, longest = band_km
    return float(spectrum[(frequency >= 1 / longest) & (frequency <= 1 / shortest)].sum())
