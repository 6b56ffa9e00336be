"""Plots of forecasts: series with bands, skill by lead, reliability. PNG bytes."""

from collections.abc import Mapping, Sequence

import matplotlib.dates as mdates
import numpy as np

from meteo_ray.metrics.plots import ACCENT, INK, SOFT, new_axes, png

WIDE, SQUARE = (9.6, 3.6), (4.6, 3.6)

BANDS = ((0, -1), (2, -3))
"""Positions of the levels that bound a band: 0.05 to 0.95 and 0.25 to 0.75."""


def series(
    title: str,
    unit: str,
    days: np.ndarray,
    point: np.ndarray,
    quantiles: np.ndarray,
    measured: np.ndarray | None = None,
    rival: np.ndarray | None = None,
) -> bytes:
    """A forecast with its bands, what was measured, and a rival; each `(days,)`, the quantiles with levels."""
    figure, axes = new_axes(title, "", unit, WIDE)
    at = days.astype("datetime64[D]").astype(object)
    for (low, high), opacity in zip(BANDS, (0.18, 0.32), strict=True):
        axes.fill_between(at, quantiles[:, low], quantiles[:, high], color=ACCENT, alpha=opacity, linewidth=0)
    axes.plot(at, point, color=ACCENT, linewidth=1.4, label="forecast, with 50 % and 90 % bands")
    if rival is not None:
        axes.plot(at, rival, color="#c77d3b", linewidth=1, linestyle="--", label="damped anomaly")
    if measured is not None:
        axes.plot(at, measured, ".", color=INK, markersize=4, label="measured")
    locator = mdates.AutoDateLocator(minticks=3, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
    axes.legend(frameon=False, fontsize=8)
    return png(figure)


def skill_by_lead(title: str, skills: Mapping[str, Sequence[tuple[float, float, float]]]) -> bytes:
    """Skill with its interval (value, low, high) for every lead from one day on, a line for each rival."""
    figure, axes = new_axes(title, "days ahead", "1 - MSE / MSE of the rival", SQUARE)
    colours = (ACCENT, "#c77d3b", "#4c8a5b", "#8a5b8f", INK)
    for (name, points), colour in zip(skills.items(), colours, strict=False):
        leads = np.arange(1, len(points) + 1)
        values = np.array(points)
        errors = np.abs(values[:, 1:] - values[:, :1]).T
        axes.errorbar(leads, values[:, 0], errors, color=colour, marker="o", markersize=3, capsize=2, label=name)
    axes.axhline(0, color=INK, linewidth=0.8)
    if skills:
        axes.legend(frameon=False, fontsize=8)
    return png(figure)


def reliability(title: str, coverage: Sequence[Mapping[str, float]]) -> bytes:
    """How often what was measured lay below each quantile, against its level."""
    figure, axes = new_axes(title, "level of the quantile", "share of days below it", SQUARE)
    axes.plot([0, 1], [0, 1], color=SOFT, linestyle="--", linewidth=1)
    axes.plot([entry["level"] for entry in coverage], [entry["observed"] for entry in coverage], "o-", color=ACCENT)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    return png(figure)
