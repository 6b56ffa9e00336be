"""A trained forecast on disk: weights, scales as tensors, and in config.json what it reads and is asked.

No scale, climatology or order of stations is found anew in use: they are those of the training days.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from meteo_ray import bundle
from meteo_ray.files import write_json
from meteo_ray.forecast.climatology import Climatology, DampedAnomaly
from meteo_ray.forecast.config import LEVELS, ForecastTraining
from meteo_ray.forecast.series.quantities import QUANTITIES
from meteo_ray.forecast.series.splits import TaughtDays
from meteo_ray.forecast.windows import Scales, Windows

STAGE, SCALES = "forecast", "scales.safetensors"


def write_bundle(
    folder: Path,
    model: nn.Module,
    settings: ForecastTraining,
    windows: Windows,
    source: Mapping[str, Any],
    taught: TaughtDays,
) -> None:
    """Fill a scratch folder; `taught` says which days the scales and weights come from, and which are for the test."""
    panel, scales = windows.panel, windows.scales
    save_file(
        {name: tensor.contiguous().clone() for name, tensor in model.state_dict().items()}, folder / bundle.WEIGHTS
    )
    arrays = {
        "climatology": scales.anomaly.climatology.coefficients,
        "damping": scales.anomaly.damping,
        "offset": scales.offset,
        "spread": scales.spread,
        "error": scales.error,
        "places": panel.places,
    }
    save_file({name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}, folder / SCALES)
    write_json(
        folder / bundle.CONFIG,
        {
            "stage": STAGE,
            "bundle_version": bundle.BUNDLE_VERSION,
            "settings": settings.model_dump(mode="json"),
            "stations": list(panel.stations),
            "quantities": {name: QUANTITIES[name].unit for name in panel.quantities},
            "levels": list(LEVELS),
            "taught": taught.to_json(),
            "source": dict(source),
        },
    )


def read_scales(folder: Path) -> tuple[Scales, np.ndarray]:
    """The scales and the stations' places."""
    arrays = {name: tensor.numpy() for name, tensor in load_file(folder / SCALES).items()}
    anomaly = DampedAnomaly(Climatology(arrays["climatology"]), arrays["damping"])
    return Scales(anomaly, arrays["offset"], arrays["spread"], arrays["error"]), arrays["places"]
