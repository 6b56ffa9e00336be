"""How good forecasts of a number are that also say how sure they are: quantiles at given levels.

The continuous ranked probability score is twice the mean pinball loss over all levels (Laio & Tamea 2007). With levels
in the middle of equal steps, such as 0.05, 0.15 ... 0.95, the mean over them is the midpoint rule of that integral.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def pinball(targets: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    """Loss of every quantile, of the shape of `quantiles` `(..., levels)`; NaN where `targets` `(...)` is."""
    error = targets[..., None] - quantiles
    level = np.asarray(levels)
    found: Floats = np.maximum(level * error, (level - 1) * error)
    return found


def crps(targets: Floats, quantiles: Floats, levels: Sequence[float]) -> Floats:
    """Of every forecast, `(...)`, in the targets' unit; of a forecast that is sure it is the absolute error."""
    found: Floats = 2 * pinball(targets, quantiles, levels).mean(axis=-1)
    return found


def coverage(targets: Floats, quantiles: Floats, levels: Sequence[float]) -> list[dict[str, float]]:
    """For every level the share of targets at or below its quantile: of a reliable forecast they are equal."""
    there = np.isfinite(targets)
    below = targets[there][:, None] <= quantiles[there]
    return [
        {"level": float(level), "observed": float(share)}
        for level, share in zip(levels, below.mean(axis=0) if there.any() else [], strict=False)
    ]


def probability_above(threshold: float, quantiles: Floats, levels: Sequence[float]) -> Floats:
    """Chance that the target is at or above `threshold`, `(...)`: the levels interpolated between the quantiles."""
    flat = quantiles.reshape(-1, quantiles.shape[-1])
    grid = np.asarray(levels, np.float64)
    ends = np.concatenate([[0.0], grid, [1.0]])
    found = np.empty(len(flat))
    for row, values in enumerate(np.sort(flat, axis=1)):
        # Beyond the outer quantiles the distribution goes on as steeply as between the last two.
        low, high = 2 * values[0] - values[1], 2 * values[-1] - values[-2]
        found[row] = 1 - np.interp(threshold, np.concatenate([[low], values, [high]]), ends)
    whole: Floats = found.reshape(quantiles.shape[:-1])
    return whole
