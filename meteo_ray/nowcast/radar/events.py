"""A folder of radar files: every folder in it that holds images is an event, its files the frames.

The frames of an event are the loop's index, with sums of the files: another file is another run. Which events train,
validate and test is said by name: windows of one event share most of their frames, so they are never torn apart.
"""

import hashlib
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from meteo_ray.errors import UsageError
from meteo_ray.files import sha256_of
from meteo_ray.nowcast.radar.rates import is_radar, require_known_product, time_of
from meteo_ray.schema import TEST, TRAIN, VALIDATION

STEP = timedelta(minutes=5)

OFF = timedelta(minutes=1)
"""How far from the full five minutes an image may be that stands for them, where images come more often."""

logger = logging.getLogger("meteo_ray")

EventsBySplit = dict[str, dict[str, str]]
"""Split -> event -> sum of its files."""


def read_frames(data: Path) -> pa.Table:
    """A row for every frame, in order of event and time: `event`, `time`, `path` below `data`, `sha256`.

    Of an event whose images come more often than every five minutes, as MRMS' every two, those nearest to the full five
    minutes are its frames, with these as their time; how many is logged.

    Raises:
        UsageError: when there is none; naming a file without a time or of an unknown product, and files of one event
            whose times are equal.
    """
    found: dict[tuple[str, datetime], Path] = {}
    for path in sorted(data.rglob("*")):
        if path.is_file() and is_radar(path):
            require_known_product(path)
            key = path.parent.relative_to(data).as_posix(), time_of(path)
            if key in found:
                raise UsageError(f"{path}: {found[key].name} beside it is of the same time, {key[1]:%Y-%m-%d %H:%M}")
            found[key] = path
    if not found:
        raise UsageError(f"{data}: no radar images in folders here; one of .gif, .pgm.gz, .h5 or .grib2 is an event")
    events: dict[str, dict[datetime, Path]] = {}
    for event, time in sorted(found):
        events.setdefault(event, {})[time] = found[event, time]
    rows = [(event, *frame) for event, images in events.items() for frame in _five_minutes_apart(event, images).items()]
    return pa.table(
        {
            "event": [event for event, _, _ in rows],
            "time": pa.array([time for _, time, _ in rows], pa.timestamp("s")),
            "path": [path.relative_to(data).as_posix() for _, _, path in rows],
            "sha256": [sha256_of(path) for _, _, path in rows],
        }
    )


def _five_minutes_apart(event: str, images: Mapping[datetime, Path]) -> dict[datetime, Path]:
    """The images of an event, in order of time; where they come more often, the nearest to every full five minutes."""
    if not 0 < spacing(np.array(list(images), "datetime64[s]")) < STEP / timedelta(minutes=1):
        return dict(images)
    nearest: dict[datetime, datetime] = {}
    for time in images:
        since = (time - datetime.min + STEP / 2) // STEP
        full = datetime.min + since * STEP
        if abs(time - full) <= OFF and (full not in nearest or abs(time - full) < abs(nearest[full] - full)):
            nearest[full] = time
    if not nearest:
        return dict(images)
    off = max(abs(time - full) for full, time in nearest.items())
    logger.warning(
        "%s: images come more often than every five minutes; %d of %d are its frames, the nearest to the full five "
        "minutes, at most %d min off",
        event, len(nearest), len(images), off / timedelta(minutes=1),
    )  # fmt: skip
    return {full: images[time] for full, time in nearest.items()}


def spacing(times: np.ndarray) -> float:
    """Minutes from frame to frame, the median; `times` datetime64 `(n,)` in order, 0 of one frame."""
    return float(np.median(np.diff(times) / np.timedelta64(1, "m"))) if len(times) > 1 else 0.0


def with_splits(frames: pa.Table, test: tuple[str, ...], validation: tuple[str, ...]) -> pa.Table:
    """The frames with their `split`; without names the last event is the test and the one before validates.

    Raises:
        UsageError: for an event that is not there, or when nothing is left to train on.
    """
    events = list(dict.fromkeys(frames["event"].to_pylist()))
    unknown = [name for name in (*test, *validation) if name not in events]
    if unknown:
        raise UsageError(f"no event {', '.join(unknown)}; there are {', '.join(events)}")
    test = test or (events[-1],)
    left = [name for name in events if name not in test]
    validation = validation or tuple(left[-1:])
    if set(validation) & set(test):
        raise UsageError(f"an event cannot both validate and test: {', '.join(sorted(set(validation) & set(test)))}")
    if not set(left) - set(validation):
        raise UsageError(f"no event is left to train on; there are {', '.join(events)}: three are the least")
    splits = {name: TEST if name in test else VALIDATION if name in validation else TRAIN for name in events}
    return frames.append_column("split", pa.array([splits[name] for name in frames["event"].to_pylist()]))


def by_split(frames: pa.Table) -> EventsBySplit:
    """The events of every split, each with a sum of its files: a folder under another name is known again."""
    found: EventsBySplit = {split: {} for split in (TRAIN, VALIDATION, TEST)}
    splits = dict(zip(frames["event"].to_pylist(), frames["split"].to_pylist(), strict=True))
    sums = sums_of(frames)
    for event, split in splits.items():
        found[split][event] = sums[event]
    return found


def sums_of(frames: pa.Table) -> dict[str, str]:
    """Event -> 16 hex digits that stand for its files."""
    files: dict[str, list[str]] = {}
    for event, file in zip(frames["event"].to_pylist(), frames["sha256"].to_pylist(), strict=True):
        files.setdefault(event, []).append(file)
    return {event: hashlib.sha256("\n".join(each).encode()).hexdigest()[:16] for event, each in files.items()}


def starts(times: np.ndarray, frames: int, stride: int) -> np.ndarray:
    """First frames of the windows of `frames` frames without a gap, int64; `times` datetime64 `(n,)` in order."""
    follows = np.diff(times) == np.timedelta64(STEP)
    first = np.arange(0, max(len(times) - frames + 1, 0), stride)
    return np.array([at for at in first if follows[at : at + frames - 1].all()], dtype=np.int64)
