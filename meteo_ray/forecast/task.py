"""What the training loop trains: the error of the damped anomaly persistence, or what the settings ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from meteo_ray.batch import Batch
from meteo_ray.errors import UsageError
from meteo_ray.forecast.bundle import write_bundle
from meteo_ray.forecast.config import LEVELS, ForecastTraining
from meteo_ray.forecast.models.build import build_model
from meteo_ray.forecast.series.panel import from_table
from meteo_ray.forecast.series.splits import TaughtDays, origins
from meteo_ray.forecast.windows import Windows, targets_of
from meteo_ray.metrics.quantile_scores import crps
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.training.task import Feedback, Loss, Phase, Prepare, Progress, Task

HUBER_FROM = 1.5
"""Errors beyond, in units of the base's own error, count linearly."""


@dataclass(frozen=True)
class PrepareWindows:
    """Rows of origins (and stations) -> what the network reads and is asked; picklable."""

    windows: Windows

    def __call__(self, batch: Batch) -> Batch:
        """Adds `window`, `base`, `rival`, `measured` and `unit`, float32; ok where anything was measured."""
        at = batch["origin"], batch.get("station")
        measured = self.windows.measured(*at)
        columns = {
            "window": self.windows.inputs(*at),
            "base": self.windows.base(*at),
            "rival": self.windows.rival(*at),
            "measured": measured,
            "unit": self.windows.unit(*at),
        }
        ok = np.isfinite(measured).reshape(len(measured), -1).any(axis=1)
        return {**batch, **{name: column.astype(np.float32) for name, column in columns.items()}, "ok": ok}


class ForecastTask(Task):
    """Networks for station series.

    Args:
        settings: which network, from what, asked for what.
        index: what `series.panel.to_table` made of the files and the splits.
        source: the description of the files, kept in the bundle.
        seed: of the order of windows.
    """

    name = "forecast"
    watch = "skill"
    prepares_in_process = True

    def __init__(self, settings: ForecastTraining, index: pa.Table, source: Mapping[str, Any], seed: int) -> None:
        self.settings, self.source, self.seed = settings, source, seed
        panel, self.split = from_table(index)
        self.windows = Windows(settings, panel, taught=self.split == TRAIN)
        self.whole_graph = settings.model == "graph"

    @property
    def taught(self) -> TaughtDays:
        """The days of the splits."""
        until = self.settings.split.test_until
        end = None if until is None else np.datetime64(until, "D")
        return TaughtDays.of(self.windows.panel.days, self.split, end)

    # -- data --------------------------------------------------------------------------------------------------------

    def rows(self, index: pa.Table, split: str) -> pa.Table:
        """A row for every window: `origin`, the day's position, and `station` where each is asked alone."""
        found = origins(self.split, split, self.settings.lookback, self.settings.horizon)
        values = np.isfinite(self.windows.measured(found))
        measured = values.any(axis=(2, 3))
        if self.whole_graph:
            columns = {"origin": found[measured.any(axis=1)]}
        else:
            window, station = np.nonzero(measured)
            columns = {"origin": found[window], "station": station}
        if not len(columns["origin"]):
            raise UsageError(
                f"forecast: no {split} window of {self.settings.lookback} days read and {self.settings.horizon} asked; "
                "give --forecast.lookback less, or more days"
            )
        self._require_every_target(values, split)
        return pa.table({name: pa.array(column, pa.int64()) for name, column in columns.items()})

    def _require_every_target(self, there: np.ndarray, split: str) -> None:
        """`there` bool `(n, stations, horizon, targets)`. Raises UsageError for a target without any value."""
        names = targets_of(self.settings, self.windows.panel)
        missing = [name for number, name in enumerate(names) if not there[..., number].any()]
        if missing and split in (TRAIN, VALIDATION):
            raise UsageError(
                f"forecast: {', '.join(missing)} has no value on any {split} day; leave it out of --forecast.targets, "
                "or choose other days with --forecast.split"
            )

    def order(self, rows: pa.Table, epoch: int, feedback: Feedback | None) -> np.ndarray:
        return np.random.default_rng([self.seed, epoch]).permutation(rows.num_rows)

    def follows_losses(self, epoch: int) -> bool:
        return False

    def prepare(self, split: str, epoch: int) -> Prepare:
        return PrepareWindows(self.windows)

    def collate(self, batch: Batch) -> dict[str, Tensor]:
        names = ("window", "base", "rival", "measured", "unit")
        return {name: torch.from_numpy(np.ascontiguousarray(batch[name])) for name in names}

    # -- model -------------------------------------------------------------------------------------------------------

    def build(self) -> nn.Module:
        return build_model(self.settings, self.windows)

    def parameter_groups(self, model: nn.Module) -> Mapping[str, nn.Module | list[nn.Parameter]]:
        return {"all": model}

    def phases(self) -> list[Phase]:
        return [Phase("all", self.settings.epochs, {"all": self.settings.rate}, warmup_epochs=1.0)]

    def loss(self, model: nn.Module, batch: dict[str, Tensor], progress: Progress) -> Loss:
        answers, penalty = model(batch["window"])
        wanted = (batch["measured"] - batch["base"]) / batch["unit"]
        known = wanted.isfinite()
        error = answers - wanted.nan_to_num()[..., None]
        point = self._point_loss(error[..., 0])[known].mean()
        sure = _pinball(-error[..., 1:])[known].mean()
        share = self.settings.quantile_share
        total = (1 - share) * point + share * sure + self.settings.graph.penalty * penalty
        parts = {"point": point.detach(), "quantiles": sure.detach(), "penalty": penalty.detach()}
        return Loss(total, parts)

    def _point_loss(self, error: Tensor) -> Tensor:
        if self.settings.loss == "squared":
            return error.square()
        zeros = torch.zeros_like(error)
        return 2 * nn.functional.huber_loss(error, zeros, reduction="none", delta=HUBER_FROM)

    # -- validation and result ---------------------------------------------------------------------------------------

    def outputs(self, model: nn.Module, batch: dict[str, Tensor]) -> Batch:
        """Forecasts in the targets' units, with what happened and the damped anomaly persistence."""
        answers, _ = model(batch["window"])
        values = batch["base"][..., None] + answers.float() * batch["unit"][..., None]
        arrays = {"forecast": values[..., 0], "quantiles": values[..., 1:]}
        arrays |= {name: batch[name] for name in ("measured", "rival")}
        return {name: tensor.cpu().numpy().astype(np.float64) for name, tensor in arrays.items()}

    def metrics(self, outputs: Batch) -> dict[str, float]:
        """Errors over all leads; `skill` is the mean over measured targets of 1 - MSE / MSE of the damped anomaly."""
        measured, forecast = outputs["measured"], outputs["forecast"]
        squared = np.square(forecast - measured).reshape(-1, forecast.shape[-1])
        rival = np.square(outputs["rival"] - measured).reshape(squared.shape)
        skill = 1 - np.nanmean(squared, axis=0) / np.maximum(np.nanmean(rival, axis=0), 1e-12)
        sure = float(np.nanmean(crps(measured, outputs["quantiles"], LEVELS)))
        return {
            "skill": float(np.nanmean(skill)),
            "mse": float(np.nanmean(squared)),
            "mae": float(np.nanmean(np.abs(forecast - measured))),
            "rival_mse": float(np.nanmean(rival)),
            "crps": sure,
            "negative_crps": -sure,
        }

    def export(self, model: nn.Module, outputs: Batch, folder: Path) -> dict[str, Any]:
        write_bundle(folder, model, self.settings, self.windows, self.source, self.taught)
        return self.metrics(outputs)


def _pinball(error: Tensor) -> Tensor:
    """Twice the mean loss of the quantiles, which is the CRPS; `error` is what happened less the quantile."""
    levels = torch.tensor(LEVELS, device=error.device)
    return 2 * torch.maximum(levels * error, (levels - 1) * error).mean(dim=-1)
