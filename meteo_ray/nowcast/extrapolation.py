"""What a forecaster would use: rain moved on along its own motion, and that blurred as it becomes less sure.

Motion: Lucas-Kanade by pysteps (dense field from tracked corners), on dB of the last three frames. Advection: pysteps'
semi-Lagrangian scheme, backwards. Blur: a Gaussian of 0.75 * lead^0.75 squares of the grid, with lead in steps of five
minutes, fixed in advance.
"""

import hashlib

import numpy as np
from scipy.ndimage import gaussian_filter

from meteo_ray.nowcast.radar.fields import RadarFields, save_array
from meteo_ray.nowcast.radar.library import pysteps
from meteo_ray.progress import ProgressLine

EXTRAPOLATION_VERSION = 1

TRACKED = 3
"""Frames that the motion is found on."""

LEAST_RAIN, NO_RAIN_DB = 0.1, -15.0
"""mm/h below which it does not rain, and what stands for that in dB (0.1 mm/h is -10 dB)."""

BLUR, BLUR_POWER = 0.75, 0.75


def decibels(rain: np.ndarray) -> np.ndarray:
    """10 log10 of mm/h; NO_RAIN_DB where it does not rain."""
    return np.where(rain >= LEAST_RAIN, 10 * np.log10(np.maximum(rain, LEAST_RAIN)), NO_RAIN_DB)


def motion(past: np.ndarray) -> np.ndarray:
    """Squares a step to the right and down, float64 `(2, rows, columns)`, of the last frames `(frames, rows, columns)`.

    Zero where nothing can be tracked.
    """
    pysteps()  # before its parts are imported: it greets
    from pysteps.motion.lucaskanade import dense_lucaskanade

    fields = np.where(np.isfinite(past), decibels(np.nan_to_num(past)), np.nan)
    moved = dense_lucaskanade(np.ma.masked_invalid(fields[-TRACKED:]), verbose=False)
    return np.nan_to_num(np.asarray(moved, np.float64))


def extrapolated(past: np.ndarray, leads: int) -> np.ndarray:
    """Float32 `(leads, rows, columns)` in mm/h from frames `(frames, rows, columns)`; NaN where it came from unseen."""
    pysteps()
    from pysteps.extrapolation.semilagrangian import extrapolate

    last = np.asarray(past[-1], np.float64)
    if not (np.nan_to_num(last) >= LEAST_RAIN).any():
        return np.repeat(last[None], leads, axis=0).astype(np.float32)
    moved = extrapolate(last, motion(past), leads, outval=np.nan, allow_nonfinite_values=True)
    return np.where(moved < 0, 0, moved).astype(np.float32)


def blur_width(lead: int) -> float:
    """Of the Gaussian, in squares, `lead` steps of five minutes ahead."""
    return float(BLUR * lead**BLUR_POWER)


def blurred(fields: np.ndarray) -> np.ndarray:
    """Each lead of `(leads, rows, columns)` blurred by its own width; unseen squares take no part and stay unseen."""
    found = np.empty_like(fields)
    for number, field in enumerate(fields):
        width = blur_width(number + 1)
        seen = np.isfinite(field)
        weight = gaussian_filter(seen.astype(np.float32), width, mode="constant")
        total = gaussian_filter(np.where(seen, field, 0), width, mode="constant")
        found[number] = np.where(seen, total / np.maximum(weight, 1e-6), np.nan)
    return found


class Extrapolations:
    """The extrapolations of an event's windows, computed once and kept beside the decoded frames as float16.

    Its step at 10 mm/h is 0.008 mm/h, less than that of any of the files.
    """

    def __init__(self, fields: RadarFields, past: int, leads: int) -> None:
        self.fields, self.past, self.leads = fields, past, leads

    def event(self, name: str, starts: np.ndarray) -> np.ndarray:
        """Float16 `(windows, leads, rows, columns)` in mm/h for windows whose first frames are `starts`."""
        parts = [EXTRAPOLATION_VERSION, self.fields.key(name), self.past, self.leads, *starts.tolist()]
        key = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]
        path = self.fields.cache / "radar" / f"{key}.npy"
        if not path.is_file():
            save_array(path, self._computed(name, starts))
        return np.load(path, mmap_mode="r")

    def _computed(self, name: str, starts: np.ndarray) -> np.ndarray:
        frames = self.fields.event(name)
        line = ProgressLine(f"extrapolating {name}", len(starts), unit="windows")
        found = []
        for start in starts:
            found.append(extrapolated(np.asarray(frames[start : start + self.past]), self.leads).astype(np.float16))
            line.update(1)
        line.close()
        return np.stack(found)
