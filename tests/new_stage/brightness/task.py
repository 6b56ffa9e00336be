"""What the training loop needs to know about the brightness stage."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from meteo_ray import bundle
from meteo_ray.batch import Batch
from meteo_ray.brightness.config import BrightnessTraining
from meteo_ray.files import write_json
from meteo_ray.streaming.pixels import PIXEL_COLUMNS, PreparePixels
from meteo_ray.training.task import Feedback, Loss, Phase, Prepare, Progress, Task
from meteo_ray.vocabulary import Vocabulary

GRID = (3, 4)  # lines and columns of means that the model sees


def grid_means(images: torch.Tensor) -> torch.Tensor:
    """uint8 `(batch, height, width, 3)` -> means in [0, 1], float32 `(batch, 12)`."""
    grey = images.float().mean(dim=3, keepdim=True).permute(0, 3, 1, 2) / 255
    return F.adaptive_avg_pool2d(grey, GRID).flatten(1)


class BrightnessTask(Task):
    """A linear model on twelve means."""

    name: ClassVar[str] = "brightness"
    watch: ClassVar[str] = "negative_error"

    def __init__(self, config: BrightnessTraining, data: Path, vocabulary: Vocabulary, seed: int) -> None:
        self.config, self.data, self.vocabulary, self.seed = config, data, vocabulary, seed

    def rows(self, index: pa.Table, split: str) -> pa.Table:
        charts = index.filter(pc.and_(pc.equal(index["split"], split), index["is_meteo"]))
        return charts.select(PIXEL_COLUMNS)

    def order(self, rows: pa.Table, epoch: int, feedback: Feedback | None) -> np.ndarray:
        return np.random.default_rng([self.seed, epoch]).permutation(rows.num_rows)

    def prepare(self, split: str, epoch: int) -> Prepare:
        return PreparePixels(self.data, self.seed, None, None, vocabulary=self.vocabulary)

    def collate(self, batch: Batch) -> dict[str, torch.Tensor]:
        return {"image": torch.from_numpy(np.array(batch["image"]))}

    def build(self) -> nn.Module:
        return nn.Linear(GRID[0] * GRID[1], 1)

    def parameter_groups(self, model: nn.Module) -> Mapping[str, nn.Module | list[nn.Parameter]]:
        return {"model": model}

    def phases(self) -> list[Phase]:
        return [Phase("all", self.config.epochs, {"model": self.config.learning_rate})]

    def _predicted_and_true(self, model: nn.Module, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
        return model(grid_means(batch["image"]))[:, 0], batch["image"].float().mean(dim=(1, 2, 3)) / 255

    def loss(self, model: nn.Module, batch: dict[str, torch.Tensor], progress: Progress) -> Loss:
        predicted, true = self._predicted_and_true(model, batch)
        return Loss(F.mse_loss(predicted, true))

    def outputs(self, model: nn.Module, batch: dict[str, torch.Tensor]) -> Batch:
        predicted, true = self._predicted_and_true(model, batch)
        return {"predicted": predicted.float().cpu().numpy(), "true": true.cpu().numpy()}

    def metrics(self, outputs: Batch) -> dict[str, float]:
        return {self.watch: -float(np.abs(outputs["predicted"] - outputs["true"]).mean())}

    def export(self, model: nn.Module, outputs: Batch, folder: Path) -> dict[str, Any]:
        save_file(model.state_dict(), folder / bundle.WEIGHTS)
        write_json(folder / bundle.CONFIG, {"stage": self.name, "bundle_version": bundle.BUNDLE_VERSION})
        (folder / bundle.LABELS).write_text(self.vocabulary.to_yaml(), "utf-8")
        return self.metrics(outputs)
