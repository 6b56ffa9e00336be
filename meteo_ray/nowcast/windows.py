"""Windows of events: which there are, and what a network or a baseline is given of one."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pyarrow as pa

from meteo_ray.errors import UsageError
from meteo_ray.nowcast.config import COARSER, NowcastTraining
from meteo_ray.nowcast.extrapolation import Extrapolations, blur_width, blurred
from meteo_ray.nowcast.radar.events import STEP, spacing, starts
from meteo_ray.nowcast.radar.fields import RadarFields

# A crop is drawn at most this often until it rains on a part of it: most of a radar image is dry.
TRIES, WET_SHARE, WET_FROM = 6, 0.1, 0.1

# An hour; widths of the blur beyond which what lies around a crop counts no more.
LEAST_LEADS, MARGIN_WIDTHS = 12, 3


@dataclass(frozen=True)
class Window:
    """One window, all float32 in mm/h `(frames or leads, rows, columns)`, NaN where unseen.

    `seen`, bool `(rows, columns)`, is where everything is: past, future, and the extrapolation of every lead.
    """

    past: np.ndarray
    future: np.ndarray
    sharp: np.ndarray
    soft: np.ndarray
    seen: np.ndarray


class Windows:
    """Windows of all events of a folder, with one stride; picklable, nothing is read before it is asked for."""

    def __init__(self, settings: NowcastTraining, fields: RadarFields, stride: int | None = None) -> None:
        self.settings, self.fields = settings, fields
        self.stride = stride or settings.stride
        self.extrapolations = Extrapolations(fields, settings.past, settings.leads)

    @property
    def frames(self) -> int:
        """Frames of a window."""
        return self.settings.past + self.settings.leads

    def starts(self, event: str) -> np.ndarray:
        """First frames of the event's windows."""
        return starts(self.fields.times(event), self.frames, self.stride)

    def table(self, events: list[str]) -> pa.Table:
        """A row for every window: `event`, a position in `fields.events`, and `window`, one in `starts`."""
        rows = [(self.fields.events.index(name), number) for name in events for number in range(len(self.starts(name)))]
        columns = np.array(rows, dtype=np.int64).reshape(-1, 2)
        return pa.table({"event": columns[:, 0], "window": columns[:, 1]})

    def load(self, event: int, number: int) -> Window:
        """One window on the whole grid."""
        return self._window(event, number, slice(None), slice(None))

    def crop(self, event: int, number: int, rng: np.random.Generator) -> Window:
        """A square of a window, at a place where it rains if the draws find one; small grids are taken whole."""
        name = self.fields.events[event]
        newest = self.fields.event(name)[self.starts(name)[number] + self.settings.past - 1]
        size = min(self.settings.crop, *(length // COARSER * COARSER for length in newest.shape))
        for _ in range(TRIES):
            top, left = (int(rng.integers(length - size + 1)) for length in newest.shape)
            at = slice(top, top + size), slice(left, left + size)
            if (np.nan_to_num(newest[at]) >= WET_FROM).mean() >= WET_SHARE:
                break
        return self._window(event, number, *at)

    def _window(self, event: int, number: int, rows: slice, columns: slice) -> Window:
        name = self.fields.events[event]
        first = self.starts(name)
        start, past = int(first[number]), self.settings.past
        frames = np.asarray(self.fields.event(name)[start : start + self.frames, rows, columns], np.float32)
        # Blurred with what lies around the square, as on the whole grid.
        margin = margin_of(self.settings.leads)
        wide, inner = zip(_widened(rows, margin), _widened(columns, margin), strict=True)
        around = np.asarray(self.extrapolations.event(name, first)[number][:, wide[0], wide[1]], np.float32)
        sharp, soft = (field[:, inner[0], inner[1]] for field in (around, blurred(around)))
        sharp, soft = sharp[:, : frames.shape[1], : frames.shape[2]], soft[:, : frames.shape[1], : frames.shape[2]]
        seen = np.asarray(np.isfinite(frames).all(axis=0) & np.isfinite(sharp).all(axis=0))
        return Window(frames[:past], frames[past:], sharp, soft, seen)


def require_windows(windows: Windows, events: Iterable[str], advice: str) -> None:
    """Raises UsageError naming the events that hold no window, with what to do."""
    short = [event for event in events if not len(windows.starts(event))]
    if short:
        named = ", ".join(f"{event} ({_frames_of(windows.fields.times(event))})" for event in short)
        raise UsageError(f"no window of {windows.frames} frames five minutes apart without a gap: {named}; {advice}")


def _frames_of(times: np.ndarray) -> str:
    """An event's frames, with how far apart they are where that is not five minutes."""
    apart = spacing(times)
    off = len(times) > 1 and apart != STEP / timedelta(minutes=1)
    return f"{len(times)} frames" + (f", {apart:g} minutes apart" if off else "")


def margin_of(leads: int) -> int:
    """Squares around a crop that its extrapolations are blurred with: 15 up to an hour, more for the wider blurs."""
    return math.ceil(MARGIN_WIDTHS * blur_width(max(leads, LEAST_LEADS)))


def _widened(part: slice, margin: int) -> tuple[slice, slice]:
    """A slice with a margin before and after it, and where the slice itself then lies in it."""
    if part.start is None:
        return part, part
    before = min(part.start, margin)
    return slice(part.start - before, part.stop + margin), slice(before, before + part.stop - part.start)
