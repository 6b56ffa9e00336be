"""Bare colour bars and charts of colour maps."""

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm

from meteo_ray.demo import palettes
from meteo_ray.demo.lookalikes.registry import plotted
from meteo_ray.demo.panel import Panel, nice_levels

_KINDS = ("rain", "radar", "temperature", "wind", "height", "signed", "pollution", "snow", "wave", "velocity")


@plotted("hard_colorbar", ("色标", "Colour scale"), ("", ""), weight=1.2)
def bare_bar(panel: Panel) -> None:
    upright = panel.chance(0.4)
    x, y, width, height = panel.room(False, True)
    size = panel.rng.uniform(0.05, 0.3)
    rect = (x + width / 2, y, width * size, height) if upright else (x, y + height * 0.4, width, height * size)
    axes = panel.figure.add_axes(rect)
    levels = nice_levels(
        float(panel.rng.uniform(-60, 0)), float(panel.rng.uniform(5, 300)), int(panel.rng.integers(5, 24))
    )
    table = palettes.choose(panel.rng, str(panel.pick(*_KINDS)), len(levels) - 1)
    panel.figure.colorbar(
        ScalarMappable(BoundaryNorm(levels, table.N), table),
        cax=axes,
        label=panel.words(*panel.names),
        orientation="vertical" if upright else "horizontal",
    )


@plotted("hard_colorbar", ("色表对照", "Colour maps"), ("配色方案", "NWS colour tables"), weight=1.2)
def colour_tables(panel: Panel) -> None:
    axes = panel.axes(labels=True)
    axes.grid(False)
    count = int(panel.rng.integers(3, 16))
    gradient = np.linspace(0, 1, 256)[None]
    names = [str(panel.pick(*list(matplotlib.colormaps)[:80])) for _ in range(count)]
    for row, name in enumerate(names):
        steps = int(panel.pick(256, 256, 12, 8))
        axes.imshow(np.floor(gradient * steps) / steps, extent=(0, 1, row + 0.1, row + 0.9), aspect="auto", cmap=name)
    axes.set(xlim=(0, 1), ylim=(0, count), xticks=[])
    axes.set_yticks(np.arange(count) + 0.5, names)
    panel.title(axes, second="")


@plotted("hard_colorbar", ("图例说明", "Legend"), weight=0.8)
def legend_only(panel: Panel) -> None:
    """A sheet of boxes with names: the legend of a chart without the chart."""
    axes = panel.axes(labels=False)
    axes.grid(False)
    rows, columns = int(panel.rng.integers(3, 9)), int(panel.rng.integers(1, 5))
    table = palettes.choose(panel.rng, str(panel.pick(*_KINDS)), rows * columns)
    for number in range(rows * columns):
        r, c = divmod(number, columns)
        axes.add_patch(matplotlib.patches.Rectangle((c + 0.08, rows - r - 0.8), 0.3, 0.6, color=table(number)))
        axes.text(c + 0.45, rows - r - 0.5, f"{number * 5}-{number * 5 + 5}", va="center")
    axes.set(xlim=(0, columns), ylim=(0, rows), xticks=[], yticks=[])
    panel.title(axes, second="")
