"""A rival from the library of the field: S-PROG (Seed 2003), as pysteps has it.

Rain is moved on along the same motion as in the extrapolation, and split into scales, each of which fades as it loses
its predictability, by an autoregressive model fitted to the last three frames.
"""

import contextlib
import io

import numpy as np

from meteo_ray.nowcast.extrapolation import LEAST_RAIN, TRACKED, decibels, motion
from meteo_ray.nowcast.radar.library import pysteps

LEAST_DB = 10 * np.log10(LEAST_RAIN)


def spectral_prognosis(past: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Float32 `(leads, rows, columns)` in mm/h from frames `(frames, rows, columns)`; unseen squares count as dry.

    `otherwise`, of the same shape, stands in where too little rain falls to fit the scales.
    """
    pysteps()  # before its parts are imported: it greets
    from pysteps.nowcasts.sprog import forecast

    fields = decibels(np.nan_to_num(past[-TRACKED:]))
    if not (fields >= LEAST_DB).any(axis=(1, 2)).all():
        return otherwise
    try:
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
            found = forecast(fields, motion(past), len(otherwise), precip_thr=LEAST_DB, ar_order=TRACKED - 1)
    except (ValueError, RuntimeError, np.linalg.LinAlgError):
        return otherwise
    rain = np.where(np.nan_to_num(found, nan=-np.inf) >= LEAST_DB, 10 ** (np.nan_to_num(found) / 10), 0)
    return rain.astype(np.float32)
