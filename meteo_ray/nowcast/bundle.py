"""A trained nowcast on disk: weights, and in config.json how it is built and which events taught it."""

from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from meteo_ray import bundle
from meteo_ray.files import write_json
from meteo_ray.nowcast.config import THRESHOLDS, NowcastTraining
from meteo_ray.nowcast.radar.events import EventsBySplit

STAGE = "nowcast"

EVENTS = "events"
"""Key of config.json: the events by split."""


def write_bundle(folder: Path, model: nn.Module, settings: NowcastTraining, events: EventsBySplit) -> None:
    """Fill a scratch folder; `events` says which taught, see `events.by_split`."""
    weights = {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / bundle.WEIGHTS)
    write_json(
        folder / bundle.CONFIG,
        {
            "stage": STAGE,
            "bundle_version": bundle.BUNDLE_VERSION,
            "settings": settings.model_dump(mode="json"),
            "thresholds_mm_h": list(THRESHOLDS),
            EVENTS: events,
        },
    )
