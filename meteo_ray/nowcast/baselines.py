"""What every nowcast is compared with, on the same windows."""

import numpy as np

from meteo_ray.nowcast.spectral_prognosis import spectral_prognosis
from meteo_ray.nowcast.windows import Window

EXTRAPOLATION, BLURRED = "extrapolation", "blurred extrapolation"
"""The two to beat: Lucas-Kanade motion with semi-Lagrangian advection, and the same blurred."""


def baselines(window: Window) -> dict[str, np.ndarray]:
    """Name -> float32 `(leads, rows, columns)` in mm/h, from no rain to the extrapolations and S-PROG."""
    leads = len(window.future)
    last = window.past[-1]
    mean = float(last[window.seen].mean()) if window.seen.any() else 0.0
    return {
        "zero": np.zeros_like(window.future),
        "domain mean": np.full_like(window.future, mean),
        "persistence": np.repeat(last[None], leads, axis=0),
        EXTRAPOLATION: window.sharp,
        BLURRED: window.soft,
        "S-PROG": spectral_prognosis(window.past, window.sharp),
    }
