"""From days to what a network reads and answers: scales fitted on training days, windows cut at an origin.

A network reads, for every day of the window, each quantity scaled, a 1 where it was measured (else the quantity is 0),
and the year's first wave; it answers in units of the target's scale beside the base forecast.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.forecast.climatology import DampedAnomaly, carried_forward, tell_short_series, year_waves
from meteo_ray.forecast.config import ForecastTraining
from meteo_ray.forecast.series.panel import Panel

WAVES = 2
"""Columns beside those of the quantities: sine and cosine of the year."""


@dataclass(frozen=True)
class Scales:
    """Everything that is learnt of training days besides the network.

    Args:
        anomaly: climatology and damping of every quantity.
        offset: float64 `(stations, quantities)`, subtracted from values of the `minmax` scaling.
        spread: float64 `(stations, quantities)`, by which values or anomalies are divided.
        error: float64 `(stations, horizon, targets)`, the spread of what is left of the targets after the base.
    """

    anomaly: DampedAnomaly
    offset: np.ndarray
    spread: np.ndarray
    error: np.ndarray


class Windows:
    """Cuts windows out of one panel; `scales` are a bundle's, or fitted here on the days that are `taught`."""

    def __init__(
        self, settings: ForecastTraining, panel: Panel, taught: np.ndarray | None = None, scales: Scales | None = None
    ) -> None:
        self.settings, self.panel = settings, panel
        self.targets = tuple(panel.quantities.index(name) for name in targets_of(settings, panel))
        if scales is None:
            assert taught is not None
            scales = _fit(settings, panel, taught, self.targets)
        self.scales = scales

    @property
    def features(self) -> int:
        """Numbers that a network reads for every day."""
        return 2 * len(self.panel.quantities) + WAVES

    def inputs(self, origins: np.ndarray, stations: np.ndarray | None = None) -> np.ndarray:
        """Float32 `(n, lookback, features)` of one station at each origin; of all, with stations second.

        Days after an origin are not read.
        """
        at = origins[:, None] + np.arange(1 - self.settings.lookback, 1)
        if stations is not None:
            return self._features[stations[:, None], at]
        return self._features[:, at].transpose(1, 0, 2, 3)

    def base(self, origins: np.ndarray, stations: np.ndarray | None = None) -> np.ndarray:
        """What the network adds to, float64 `(n, horizon, targets)` in the targets' units, or with stations second."""
        found = _base(self.settings, self.panel, self.scales.anomaly, self.scales.offset, origins, self.targets)
        return _chosen(found, stations)

    def rival(self, origins: np.ndarray, stations: np.ndarray | None = None) -> np.ndarray:
        """The damped anomaly persistence, likewise, whatever the base is."""
        found = self.scales.anomaly.forecast(self.panel.days, self.panel.values, origins)[..., list(self.targets)]
        return _chosen(found.transpose(1, 0, 2, 3), stations)

    def measured(self, origins: np.ndarray, stations: np.ndarray | None = None) -> np.ndarray:
        """What happened then, likewise; NaN where nothing was measured or the data end before."""
        return _chosen(truth(self.panel, origins, self.settings.horizon, self.targets), stations)

    def unit(self, origins: np.ndarray, stations: np.ndarray | None = None) -> np.ndarray:
        """The unit in which the network answers, in the targets' units, likewise."""
        return _chosen(np.broadcast_to(self.scales.error, (len(origins), *self.scales.error.shape)), stations)

    @cached_property
    def _features(self) -> np.ndarray:
        """Every day as a network reads it, float32 `(stations, days, features)`: a function of that day alone."""
        days, values, scales = self.panel.days, self.panel.values, self.scales
        if self.settings.scaling == "anomaly":
            scaled = (values - scales.anomaly.climatology.at(days)) / scales.spread[:, None]
        else:
            scaled = (values - scales.offset[:, None]) / scales.spread[:, None]
        there = np.isfinite(scaled)
        waves = np.broadcast_to(year_waves(days, 1), (len(values), len(days), WAVES))
        return np.concatenate([np.where(there, scaled, 0.0), there, waves], axis=-1).astype(np.float32)


def _chosen(found: np.ndarray, stations: np.ndarray | None) -> np.ndarray:
    """Of `(n, stations, ...)` the row's own station."""
    return found if stations is None else found[np.arange(len(found)), stations]


def targets_of(settings: ForecastTraining, panel: Panel) -> tuple[str, ...]:
    """The quantities to forecast. Raises UsageError for one that is not measured."""
    wanted = settings.targets or (panel.quantities[0],)
    missing = [name for name in wanted if name not in panel.quantities]
    if missing:
        raise UsageError(
            f"--forecast.targets {' '.join(missing)}: not measured there; there are {', '.join(panel.quantities)}"
        )
    return tuple(wanted)


def truth(
    panel: Panel, origins: np.ndarray, horizon: int, targets: tuple[int, ...], asked: np.ndarray | None = None
) -> np.ndarray:
    """What happened, float64 `(n, stations, horizon, targets)`; NaN also on days not `asked` (bool, by day)."""
    at = origins[:, None] + np.arange(1, horizon + 1)
    inside = at < len(panel.days)
    if asked is not None:
        inside &= asked[np.minimum(at, len(panel.days) - 1)]
    values = panel.values[:, np.minimum(at, len(panel.days) - 1)][..., list(targets)]
    return np.where(inside[None, :, :, None], values, np.nan).transpose(1, 0, 2, 3)


def _base(
    settings: ForecastTraining, panel: Panel, anomaly: DampedAnomaly, offset: np.ndarray, origins: np.ndarray,
    targets: tuple[int, ...],
) -> np.ndarray:  # fmt: skip
    last = int(origins.max())
    days, values = panel.days[: last + 1], panel.values[:, : last + 1]
    columns = list(targets)
    if settings.base == "damped_anomaly":
        found = anomaly.forecast(days, values, origins)[..., columns]
    elif settings.base == "persistence":
        known = carried_forward(values)[:, origins][..., columns]
        known = np.where(np.isfinite(known), known, anomaly.climatology.at(days[origins])[..., columns])
        found = np.repeat(known[:, :, None], settings.horizon, axis=2)
    else:
        shape = (len(values), len(origins), settings.horizon, len(columns))
        found = np.broadcast_to(offset[:, columns][:, None, None], shape)
    return found.transpose(1, 0, 2, 3)


def _fit(settings: ForecastTraining, panel: Panel, taught: np.ndarray, targets: tuple[int, ...]) -> Scales:
    days, values = panel.days, panel.values
    tell_short_series(panel.stations, days, values, taught)
    anomaly = DampedAnomaly.fit(days, values, taught, settings.horizon)
    known = np.where(taught[None, :, None], values, np.nan)
    measured = np.isfinite(known).any(axis=1)
    known = np.where(measured[:, None], known, 0.0)  # a quantity that a station never measures
    if settings.scaling == "anomaly":
        offset = np.nanmean(known, axis=1)
        spread = np.nanstd(known - anomaly.climatology.at(days), axis=1)
    else:
        offset = np.nanmin(known, axis=1)
        spread = np.nanmax(known, axis=1) - offset
    spread = np.where(measured & (spread > 0), spread, 1.0)
    return Scales(anomaly, offset, spread, _error(settings, panel, taught, anomaly, offset, spread, targets))


def _error(
    settings: ForecastTraining, panel: Panel, taught: np.ndarray, anomaly: DampedAnomaly, offset: np.ndarray,
    spread: np.ndarray, targets: tuple[int, ...],
) -> np.ndarray:  # fmt: skip
    """The unit in which the network answers: the base's error, or the input's scale where there is no base."""
    shape = (len(panel.stations), settings.horizon, len(targets))
    if settings.base == "none":
        return np.array(np.broadcast_to(spread[:, list(targets)][:, None], shape))
    origins = np.flatnonzero(taught[:-1])
    left = truth(panel, origins, settings.horizon, targets, taught)
    left = left - _base(settings, panel, anomaly, offset, origins, targets)
    count = np.isfinite(left).sum(axis=0)
    error = np.sqrt(np.nansum(left**2, axis=0) / np.maximum(count, 1))
    return np.where(error > 0, error, 1.0)
