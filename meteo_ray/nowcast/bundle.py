"""A trained nowcast on disk: weights, and in config.json how it is built. Nothing is fitted on data besides."""

from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from meteo_ray import bundle
from meteo_ray.files import write_json
from meteo_ray.nowcast.config import THRESHOLDS, NowcastTraining

STAGE = "nowcast"


def write_bundle(folder: Path, model: nn.Module, settings: NowcastTraining) -> None:
    """Fill a scratch folder."""
    weights = {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / bundle.WEIGHTS)
    write_json(
        folder / bundle.CONFIG,
        {
            "stage": STAGE,
            "bundle_version": bundle.BUNDLE_VERSION,
            "settings": settings.model_dump(mode="json"),
            "thresholds_mm_h": list(THRESHOLDS),
        },
    )
