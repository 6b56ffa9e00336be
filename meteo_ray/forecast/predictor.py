"""Trained forecasts at work: a panel of measured days in, numbers with quantiles out."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.forecast.bundle import STAGE, read_scales
from meteo_ray.forecast.config import LEVELS, ForecastTraining
from meteo_ray.forecast.models.build import build_model
from meteo_ray.forecast.series.panel import Panel
from meteo_ray.forecast.series.quantities import cut_at_zero
from meteo_ray.forecast.series.source import Source
from meteo_ray.forecast.series.splits import TaughtDays
from meteo_ray.forecast.windows import Windows

ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Forecasts:
    """Of every origin, station, lead and target; float64.

    Args:
        origins: int64 `(n,)`, positions of the last known days.
        point: `(n, stations, horizon, targets)`.
        quantiles: `(n, stations, horizon, targets, levels)`, in order.
    """

    origins: np.ndarray
    point: np.ndarray
    quantiles: np.ndarray


class ForecastPredictor:
    """One trained network with the scales of its training."""

    def __init__(
        self, model: nn.Module, windows: Windows, source: Source, version: str, taught: TaughtDays | None = None
    ) -> None:
        self.model, self.windows, self.source, self.version = model.eval(), windows, source, version
        self.taught = taught
        self.settings: ForecastTraining = windows.settings

    @classmethod
    def load(cls, folder: Path) -> "ForecastPredictor":
        """Raises UsageError when the bundle is missing, damaged or of another stage or version."""
        version = bundle.check(folder, STAGE)
        config = bundle.read_config(folder, STAGE)
        settings = ForecastTraining(**config["settings"])
        scales, places = read_scales(folder)
        shape = (len(config["stations"]), 0, len(config["quantities"]))
        none = np.empty(0, dtype="datetime64[D]")
        panel = Panel(none, tuple(config["stations"]), tuple(config["quantities"]), np.empty(shape), places)
        windows = Windows(settings, panel, scales=scales)
        model = build_model(settings, windows)
        model.load_state_dict(bundle.read_weights(folder))
        return cls(model, windows, Source(**config["source"]), version, TaughtDays.from_json(config["taught"]))

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(self.windows.panel.quantities[target] for target in self.windows.targets)

    def fitting(self, panel: Panel) -> Panel:
        """The panel with the stations and quantities of the training, in their order.

        Raises:
            UsageError: when a station is not there, or a quantity that was read in training.
        """
        own = self.windows.panel
        missing = [name for name in own.stations if name not in panel.stations]
        missing += [name for name in own.quantities if name not in panel.quantities]
        if missing:
            raise UsageError(f"the model was trained with {', '.join(missing)}, which these files do not hold")
        stations = [panel.stations.index(name) for name in own.stations]
        quantities = [panel.quantities.index(name) for name in own.quantities]
        return Panel(panel.days, own.stations, own.quantities, panel.values[stations][:, :, quantities], own.places)

    @torch.inference_mode()
    def forecast(self, panel: Panel, origins: np.ndarray) -> Forecasts:
        """Forecasts from the given days; each reads `settings.lookback` days up to its own and none after."""
        windows = Windows(self.settings, self.fitting(panel), scales=self.windows.scales)
        answers = np.concatenate([
            self._answers(windows, origins[start : start + ROWS_AT_ONCE])
            for start in range(0, len(origins), ROWS_AT_ONCE)
        ])  # fmt: skip
        values = windows.base(origins)[..., None] + answers * windows.unit(origins)[..., None]
        values = cut_at_zero(values, self.targets, axis=3)
        return Forecasts(origins, values[..., 0], values[..., 1:])

    def _answers(self, windows: Windows, origins: np.ndarray) -> np.ndarray:
        window = torch.from_numpy(windows.inputs(origins))
        if self.settings.model == "graph":
            return self.model(window)[0].numpy().astype(np.float64)
        answers: torch.Tensor = self.model(window.flatten(0, 1))[0]
        return answers.unflatten(0, window.shape[:2]).numpy().astype(np.float64)


class Ensemble:
    """Several trainings of one question; forecasts are means of theirs, of quantiles level by level (Vincent 1912)."""

    def __init__(self, members: Sequence[ForecastPredictor]) -> None:
        self.members = list(members)
        first = members[0]
        for member in members[1:]:
            if _question(member) != _question(first):
                raise UsageError("--members: they were asked other stations, targets or leads than the first")

    @classmethod
    def load(cls, folders: Sequence[Path]) -> "Ensemble":
        """From bundles. Raises UsageError where one cannot be read, or they do not fit together."""
        return cls([ForecastPredictor.load(folder) for folder in folders])

    @property
    def first(self) -> ForecastPredictor:
        return self.members[0]

    def split(self, days: np.ndarray) -> np.ndarray:
        """The split of the days, text `(days,)`, as the first member was trained; no test day taught any member.

        Raises:
            UsageError: when a bundle does not say which days taught it, a member was taught or validated by test days,
                or there is no test day.
        """
        unknown = [member.version for member in self.members if member.taught is None]
        if self.first.taught is None or unknown:
            raise UsageError(
                f"the model {', '.join(unknown)} does not say which days taught it, so no day is known to be a test "
                "day; train it again"
            )
        test_from = self.first.taught.test_from
        for number, member in enumerate(self.members):
            if member.taught is not None and member.taught.last >= test_from:
                raise UsageError(
                    f"--members: number {number} (model {member.version}) learnt from days up to {member.taught.last}, "
                    f"and the first one's test begins on {test_from}; train it with --forecast.split.test-from "
                    f"{test_from}"
                )
        return self.first.taught.split(days)

    def forecast(self, panel: Panel, origins: np.ndarray) -> Forecasts:
        """As `ForecastPredictor.forecast`."""
        found = [member.forecast(panel, origins) for member in self.members]
        return Forecasts(
            origins,
            np.mean([one.point for one in found], axis=0),
            np.mean([one.quantiles for one in found], axis=0),
        )


def _question(member: ForecastPredictor) -> tuple[Any, ...]:
    return member.windows.panel.stations, member.targets, member.settings.horizon, LEVELS
