"""A trained nowcast at work: the last frames in, rain and likelihoods of the next hour out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from meteo_ray import bundle
from meteo_ray.nowcast.bundle import STAGE
from meteo_ray.nowcast.config import NowcastTraining
from meteo_ray.nowcast.extrapolation import blurred, extrapolated
from meteo_ray.nowcast.models.forecaster import Forecaster


@dataclass(frozen=True)
class Nowcast:
    """Fields by lead, NaN where the extrapolation comes from where nothing was seen.

    Args:
        rain: mm/h, float32 `(leads, rows, columns)`.
        chances: likelihood of rain at or above `config.THRESHOLDS`, float32 `(leads, thresholds, rows, columns)`.
        sharp: the extrapolation, as `rain`.
        soft: the blurred extrapolation.
    """

    rain: np.ndarray
    chances: np.ndarray
    sharp: np.ndarray
    soft: np.ndarray


class NowcastPredictor:
    """One trained network; it takes fields of any size."""

    def __init__(self, model: Forecaster, settings: NowcastTraining, version: str) -> None:
        self.model, self.settings, self.version = model.eval(), settings, version

    @classmethod
    def load(cls, folder: Path) -> "NowcastPredictor":
        """Raises UsageError when the bundle is missing, damaged or of another stage or version."""
        version = bundle.check(folder, STAGE)
        settings = NowcastTraining(**bundle.read_config(folder, STAGE)["settings"])
        model = Forecaster(settings)
        model.load_state_dict(bundle.read_weights(folder))
        return cls(model, settings, version)

    def nowcast(self, past: np.ndarray) -> Nowcast:
        """From frames `(past, rows, columns)` in mm/h on the training's grid, NaN where unseen, the newest last."""
        sharp = extrapolated(past, self.settings.leads)
        return self.corrected(past, sharp, blurred(sharp))

    @torch.inference_mode()
    def corrected(self, past: np.ndarray, sharp: np.ndarray, soft: np.ndarray) -> Nowcast:
        """The same where the extrapolation is there already."""
        given = [torch.from_numpy(np.array(field, np.float32))[None] for field in (past, sharp, soft)]
        rain, logits = self.model(*given)
        unseen = ~np.isfinite(sharp)
        found, chances = rain[0].numpy(), logits[0].sigmoid().numpy()
        found, chances = np.where(unseen, np.nan, found), np.where(unseen[:, None], np.nan, chances)
        return Nowcast(found, chances, sharp, soft)
