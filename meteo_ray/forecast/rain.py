"""Rain, yes or no and how much. Its percentage error is told only to show that it tells nothing.

A mean absolute percentage error divides by what fell: on dry days it is not defined, and on days with a tenth of a
millimetre a forecast of one millimetre counts as 900 %. Hence the share of days that it leaves out beside it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from meteo_ray.forecast.config import LEVELS
from meteo_ray.metrics.quantile_scores import probability_above


def rain_scores(
    measured: np.ndarray, points: Mapping[str, np.ndarray], quantiles: np.ndarray, wet_share: float, rain_from: float
) -> dict[str, Any]:
    """Scores of rain yes/no and of its amount.

    Args:
        measured: mm, float64 `(days,)`, NaN where not known.
        points: each contender's mm, `(days,)`.
        quantiles: the network's, `(days, levels)`.
        wet_share: how often it rained on the days that teach: the climatology's chance.
        rain_from: mm from which a day counts as one with rain.
    """
    there = np.isfinite(measured)
    wet = measured[there] >= rain_from
    chance = probability_above(rain_from, quantiles[there], LEVELS)
    brier = float(np.mean((chance - wet) ** 2))
    rival = float(np.mean((wet_share - wet) ** 2))
    called = {name: values[there] >= rain_from for name, values in points.items()}
    called["network"] = chance >= 0.5
    return {
        "from_mm": rain_from,
        "wet_days": int(wet.sum()),
        "brier": brier,
        "brier_climatology": rival,
        "brier_persistence": float(np.mean((called["persistence"].astype(float) - wet) ** 2)),
        "brier_skill": 1 - brier / rival if rival else None,
        "yes_no": {name: _yes_no(wet, call) for name, call in called.items()},
        "mape_percent": _mape(measured[there], points["network"][there]),
        "mape_not_defined_on": float(np.mean(measured[there] == 0)),
    }


def _yes_no(wet: np.ndarray, called: np.ndarray) -> dict[str, float | None]:
    hits, misses, alarms = (wet & called).sum(), (wet & ~called).sum(), (~wet & called).sum()
    asked = hits + misses + alarms
    return {"accuracy": float(np.mean(wet == called)), "csi": float(hits / asked) if asked else None}


def _mape(measured: np.ndarray, forecast: np.ndarray) -> float | None:
    fell = measured > 0
    if not fell.any():
        return None
    return float(100 * np.mean(np.abs(forecast[fell] - measured[fell]) / measured[fell]))
