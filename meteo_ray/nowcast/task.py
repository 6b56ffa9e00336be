"""What the training loop trains: the correction of the extrapolation, on crops of the training events' windows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor, nn

from meteo_ray.batch import Batch
from meteo_ray.errors import UsageError
from meteo_ray.nowcast.bundle import write_bundle
from meteo_ray.nowcast.config import THRESHOLDS, NowcastTraining
from meteo_ray.nowcast.models.forecaster import Forecaster, to_scale
from meteo_ray.nowcast.radar.events import EventsBySplit
from meteo_ray.nowcast.radar.fields import RadarFields
from meteo_ray.nowcast.windows import Windows
from meteo_ray.schema import TRAIN
from meteo_ray.training.task import Feedback, Loss, Phase, Prepare, Progress, Task

SQUARED_UNIT = 4.0
"""(mm/h)^2: of the size of the extrapolation's squared error, so that both parts of the loss are near one."""

DECIBEL_UNIT = 0.05
"""Squared error on the logarithmic scale that counts as one."""

CSI_FROM = 2.0
"""mm/h from which hits are counted in validation."""


@dataclass(frozen=True)
class PrepareCrops:
    """Rows of windows -> crops; in training drawn anew in every epoch, in validation always the same."""

    windows: Windows
    seed: int
    epoch: int

    def __call__(self, batch: Batch) -> Batch:
        """Adds `past`, `future`, `sharp`, `soft`, float32, and `seen`; a crop that nothing is seen of has no loss."""
        found = []
        for event, window, crop in zip(batch["event"], batch["window"], batch["crop"], strict=True):
            rng = np.random.default_rng([self.seed, self.epoch, int(event), int(window), int(crop)])
            found.append(self.windows.crop(int(event), int(window), rng))
        names = ("past", "future", "sharp", "soft", "seen")
        columns = {name: np.stack([getattr(one, name) for one in found]) for name in names}
        return {**batch, **columns, "ok": np.ones(len(found), dtype=bool)}


class NowcastTask(Task):
    """The encoder-forecaster of ConvLSTMs.

    Args:
        settings: which network, from what, asked for what.
        fields: the events' frames.
        seed: of the order of windows and the places of crops.
        events: which of them train, validate and test, for the bundle.
    """

    name = "nowcast"
    watch = "skill"
    prepares_in_process = True

    def __init__(self, settings: NowcastTraining, fields: RadarFields, seed: int, events: EventsBySplit) -> None:
        self.settings, self.fields, self.seed, self.events = settings, fields, seed, events
        self.windows = Windows(settings, fields)

    # -- data --------------------------------------------------------------------------------------------------------

    def rows(self, index: pa.Table, split: str) -> pa.Table:
        """A row for every crop of every window of the split's events; `index` has a row for every frame."""
        chosen = index.filter(pc.equal(index["split"], split))["event"].to_pylist()
        windows = self.windows.table(list(dict.fromkeys(chosen)))
        if not windows.num_rows:
            raise UsageError(
                f"nowcast: no {split} window of {self.windows.frames} frames five minutes apart without a gap; "
                "give --nowcast.leads less, or longer events"
            )
        every = np.repeat(np.arange(windows.num_rows), self.settings.crops)
        crop = np.tile(np.arange(self.settings.crops), windows.num_rows)
        return windows.take(every).append_column("crop", pa.array(crop))

    def order(self, rows: pa.Table, epoch: int, feedback: Feedback | None) -> np.ndarray:
        return np.random.default_rng([self.seed, epoch]).permutation(rows.num_rows)

    def follows_losses(self, epoch: int) -> bool:
        return False

    def prepare(self, split: str, epoch: int) -> Prepare:
        return PrepareCrops(self.windows, self.seed, epoch if split == TRAIN else 0)

    def collate(self, batch: Batch) -> dict[str, Tensor]:
        return {name: torch.from_numpy(batch[name]) for name in ("past", "future", "sharp", "soft", "seen")}

    # -- model -------------------------------------------------------------------------------------------------------

    def build(self) -> nn.Module:
        return Forecaster(self.settings)

    def parameter_groups(self, model: nn.Module) -> Mapping[str, nn.Module | list[nn.Parameter]]:
        return {"all": model}

    def phases(self) -> list[Phase]:
        return [Phase("all", self.settings.epochs, {"all": self.settings.rate}, warmup_epochs=0.5)]

    def loss(self, model: nn.Module, batch: dict[str, Tensor], progress: Progress) -> Loss:
        rain, logits = model(batch["past"], batch["sharp"], batch["soft"])
        seen = batch["seen"][:, None].expand_as(rain)
        future = batch["future"].nan_to_num().clamp(max=self.settings.cap)
        squared = _mean((rain.clamp(max=self.settings.cap) - future).square(), seen) / SQUARED_UNIT
        decibels = _mean((to_scale(rain) - to_scale(future)).square(), seen) / DECIBEL_UNIT
        chances = nn.functional.binary_cross_entropy_with_logits(logits, _rained(future), reduction="none")
        chances = _mean(chances, seen[:, :, None].expand_as(chances))
        share = self.settings.rain_share
        total = share * squared + (1 - share) * decibels + self.settings.chance_weight * chances
        parts = {"squared": squared.detach(), "decibels": decibels.detach(), "chances": chances.detach()}
        return Loss(total, parts)

    # -- validation and result ---------------------------------------------------------------------------------------

    def outputs(self, model: nn.Module, batch: dict[str, Tensor]) -> Batch:
        """Sums of every crop by lead, float64 `(batch, leads)`: fields themselves would not fit into memory."""
        rain, logits = model(batch["past"], batch["sharp"], batch["soft"])
        seen, future = batch["seen"][:, None], batch["future"].nan_to_num()
        sharp = batch["sharp"].nan_to_num()
        chance_error = (logits.sigmoid() - _rained(future)).square().mean(dim=2)
        sums = {
            "squares": seen.expand_as(rain).float(),
            "squared": (rain - future).square() * seen,
            "rival_squared": (sharp - future).square() * seen,
            "brier": chance_error * seen,
            **_contingency("", rain, future, seen),
            **_contingency("rival_", sharp, future, seen),
        }
        return {name: field.double().sum(dim=(2, 3)).cpu().numpy() for name, field in sums.items()}

    def metrics(self, outputs: Batch) -> dict[str, float]:
        """`skill` is 1 - MSE / MSE of the extrapolation, over all leads; CSI at 2 mm/h, pooled, of both."""
        total = {name: float(column.sum()) for name, column in outputs.items()}
        squares = max(total["squares"], 1.0)
        return {
            "skill": 1 - total["squared"] / max(total["rival_squared"], 1e-9),
            "mse": total["squared"] / squares,
            "rival_mse": total["rival_squared"] / squares,
            "csi": total["hits"] / max(total["asked"], 1.0),
            "rival_csi": total["rival_hits"] / max(total["rival_asked"], 1.0),
            "brier": total["brier"] / squares,
        }

    def export(self, model: nn.Module, outputs: Batch, folder: Path) -> dict[str, Any]:
        write_bundle(folder, model, self.settings, self.events)
        return self.metrics(outputs)


def _mean(field: Tensor, seen: Tensor) -> Tensor:
    """Over what was seen; zero where that is nothing."""
    return (field * seen).sum() / seen.sum().clamp(min=1)


def _rained(future: Tensor) -> Tensor:
    """`(batch, leads, rows, columns)` -> 0 or 1 for every threshold, `(batch, leads, thresholds, rows, columns)`."""
    return torch.stack([future >= threshold for threshold in THRESHOLDS], dim=2).float()


def _contingency(prefix: str, forecast: Tensor, future: Tensor, seen: Tensor) -> dict[str, Tensor]:
    called, rained = forecast >= CSI_FROM, future >= CSI_FROM
    return {f"{prefix}hits": called & rained & seen, f"{prefix}asked": (called | rained) & seen}
