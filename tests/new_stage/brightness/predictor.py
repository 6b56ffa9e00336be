"""The trained brightness stage at work."""

from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import nn

from meteo_ray import bundle
from meteo_ray.batch import Batch
from meteo_ray.brightness.task import GRID, grid_means
from meteo_ray.vocabulary import Vocabulary


class BrightnessPredictor:
    """Pixels in, `brightness` float32 and `paper` ("light" or "dark") out; see `judging.predictor.Predictor`."""

    def __init__(self, model: nn.Module, version: str) -> None:
        self.model, self.version = model.eval(), version

    @classmethod
    def load(cls, folder: Path, vocabulary: Vocabulary | None = None) -> Self:
        version = bundle.check(folder, "brightness")
        bundle.read_config(folder, "brightness")
        bundle.read_labels(folder, vocabulary)
        model = nn.Linear(GRID[0] * GRID[1], 1)
        model.load_state_dict(bundle.read_weights(folder))
        return cls(model, version)

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> Batch:
        values = self.model(grid_means(torch.from_numpy(np.array(batch["image"]))))[:, 0].clamp(0, 1).numpy()
        return {"brightness": values, "paper": np.where(values >= 0.5, "light", "dark").astype(object)}
