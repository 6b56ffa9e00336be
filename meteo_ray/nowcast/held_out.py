"""Which events a trained nowcast may be scored on: never those that taught it, whatever folder it is scored on."""

import logging
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray.errors import UsageError
from meteo_ray.nowcast.bundle import EVENTS
from meteo_ray.nowcast.config import NowcastTraining
from meteo_ray.nowcast.radar.events import EventsBySplit, sums_of, with_splits
from meteo_ray.schema import TEST, TRAIN, VALIDATION

logger = logging.getLogger("meteo_ray")


def events_to_score(folder: Path, config: dict[str, Any], frames: pa.Table) -> list[str]:
    """The training's own test events where the frames hold them, else all that it did not know.

    A bundle that does not record its events is scored on what its settings name, with a warning.

    Args:
        folder: the bundle's, for messages.
        config: its config.json.
        frames: what there is to score on, see `events.read_frames`.

    Raises:
        UsageError: when nothing is left to score, or files of a test event taught or validated under another name.
    """
    recorded: EventsBySplit | None = config.get(EVENTS)
    if recorded is None:
        logger.warning("%s: does not record which events taught it; some may be scored here. Train it again", folder)
        return _by_settings(config, frames)
    sums = sums_of(frames)
    _tell_missing(folder, recorded[TEST], sums)
    taught = recorded[TRAIN] | recorded[VALIDATION]
    tested = [event for event in sums if event in recorded[TEST]] or [event for event in sums if event not in taught]
    if not tested:
        raise UsageError(f"{folder}: all events here taught or validated it ({', '.join(sums)}); score it on others")
    names = {digest: event for event, digest in taught.items()}
    known = [f"{event} is {names[sums[event]]}" for event in tested if sums[event] in names]
    if known:
        raise UsageError(f"{folder}: events here taught or validated it: {', '.join(known)}; score it without them")
    return tested


def _tell_missing(folder: Path, test: dict[str, str], sums: dict[str, str]) -> None:
    missing = [event for event in test if event not in sums]
    if missing:
        logger.warning("%s: test events of the training are not here: %s", folder, ", ".join(missing))


def _by_settings(config: dict[str, Any], frames: pa.Table) -> list[str]:
    settings = NowcastTraining(**config["settings"])
    split = with_splits(frames, settings.test_events, settings.validation_events)
    return list(dict.fromkeys(split.filter(pc.equal(split["split"], TEST))["event"].to_pylist()))
