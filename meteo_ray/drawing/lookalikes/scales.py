"""Colours shown for themselves: bare colour bars, charts of colour maps, legends without a chart, swatches."""

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, to_hex
from matplotlib.patches import Rectangle
from PIL import Image

from meteo_ray.drawing import palettes, text
from meteo_ray.drawing.lettering import Picture
from meteo_ray.drawing.lookalikes.registry import painted, plotted
from meteo_ray.drawing.panel import Panel, nice_levels
from meteo_ray.drawing.pen import new_pen
from meteo_ray.drawing.style import Style

_KINDS = ("rain", "radar", "temperature", "wind", "height", "signed", "pollution", "snow", "wave", "velocity")


@plotted("hard_colorbar", ("色标", "Colour scale"), ("", ""), weight=0.9)
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


@plotted("hard_colorbar", ("色表对照", "Colour maps"), ("配色方案", "NWS colour tables"), weight=0.9)
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


@plotted("hard_colorbar", ("图例说明", "Legend"), weight=0.5)
def legend_only(panel: Panel) -> None:
    """A sheet of boxes with names: the legend of a chart without the chart."""
    axes = panel.axes(labels=False)
    axes.grid(False)
    rows, columns = int(panel.rng.integers(3, 9)), int(panel.rng.integers(1, 5))
    table = palettes.choose(panel.rng, str(panel.pick(*_KINDS)), rows * columns)
    for number in range(rows * columns):
        r, c = divmod(number, columns)
        axes.add_patch(Rectangle((c + 0.08, rows - r - 0.8), 0.3, 0.6, color=table(number)))
        axes.text(c + 0.45, rows - r - 0.5, f"{number * 5}-{number * 5 + 5}", va="center")
    axes.set(xlim=(0, columns), ylim=(0, rows), xticks=[], yticks=[])
    panel.title(axes, second="")


@plotted("hard_colorbar", ("色表亮度", "Sequential colormaps"), ("亮度曲线", "Lightness of colormaps"), weight=0.8)
def lightness_curves(panel: Panel) -> None:
    """Colour tables as thick strokes of dots that rise and fall with their lightness."""
    left, bottom, width, height = panel.room(False, True)
    rows = int(panel.pick(1, 1, 2))
    share = float(panel.rng.uniform(0.35, 0.9)) / rows
    for row in range(rows):
        axes = panel.figure.add_axes((left, bottom + height * (1 - (row + 1) / rows), width, height * share))
        _strokes(panel, axes, int(panel.rng.integers(3, 8)))
        axes.set_ylabel("Lightness $L^*$")
    axes.set_xlabel(panel.words(*panel.names))


def _strokes(panel: Panel, axes: Axes, count: int) -> None:
    """`count` strokes side by side, smooth or of a few steps, each under its name."""
    size = float(panel.rng.uniform(60, 320))
    for number in range(count):
        name = str(panel.pick(*list(matplotlib.colormaps)[:80]))
        steps = int(panel.pick(100, 100, 12, 8))
        place = np.linspace(0, 1, steps)
        colours = matplotlib.colormaps[name](place)
        lightness = 100 * (colours[:, :3] @ (0.2126, 0.7152, 0.0722)) ** 0.45
        axes.scatter(number * 1.5 + place, lightness, c=colours, s=size, linewidths=0)
        axes.text(number * 1.5 + 0.5, 104, name, rotation=20, fontsize=panel.style.font_size * 0.8)
    axes.set(xlim=(-0.3, 1.5 * count), ylim=(-5, 103), xticks=[])


@plotted("hard_colorbar", ("色标并列", "Colour bars"), ("", ""), weight=0.5)
def bars_in_a_row(panel: Panel) -> None:
    """Several upright colour bars side by side, each with its own numbers and name."""
    left, bottom, width, height = panel.room(False, True)
    count = int(panel.rng.integers(2, 6))
    for number in range(count):
        kind = str(panel.pick(*_KINDS))
        levels = nice_levels(0, float(panel.rng.uniform(5, 200)), int(panel.pick(6, 10, 20, 40)))
        table = palettes.choose(panel.rng, kind, len(levels) - 1)
        rect = (left + width * (number + 0.2) / count, bottom, width * 0.25 / count, height)
        bar = panel.figure.colorbar(ScalarMappable(BoundaryNorm(levels, table.N), table),
                                    cax=panel.figure.add_axes(rect))  # fmt: skip
        bar.set_ticks(list(levels[:: max(1, len(levels) // 7)]))
        bar.ax.set_xlabel(kind) if panel.chance(0.5) else bar.ax.set_ylabel(kind)


@plotted("hard_colorbar", ("符号图例", "Symbols"), ("预警类型", "Warning types"), weight=0.5)
def symbol_legend(panel: Panel) -> None:
    """Squiggles, boxes or signs in strong colours with a name each, on black or white, without the chart."""
    axes = panel.figure.add_axes(panel.rect)
    dark = panel.chance(0.5)
    axes.set_axis_off()
    axes.add_patch(Rectangle((0, 0), 1, 1, color="black" if dark else "white", transform=axes.transAxes, zorder=0))
    rows = int(panel.rng.integers(4, 11))
    size = min(0.5 * panel.pixels[1] / rows, panel.pixels[0] / 12) * 72 / panel.style.dpi
    manner = str(panel.pick("line", "line", "box", "sign"))
    wave = np.linspace(0, 2 * np.pi, 40)
    for row, colour in enumerate(
        palettes.by_name(str(panel.pick("hsv", "Set1", "gist_rainbow")))(np.linspace(0, 0.95, rows))
    ):
        if manner == "line":
            axes.plot(0.04 + wave / 60, row + 0.25 * np.sin(wave), color=colour, linewidth=size / 6)
        elif manner == "box":
            axes.add_patch(Rectangle((0.04, row - 0.3), 0.1, 0.6, facecolor=colour, edgecolor="#888888"))
        else:
            axes.plot(0.09, row, str(panel.pick("^", "o", "s", "*", "D", "P")), color=colour, markersize=size * 0.7)
        axes.text(0.18, row, text.heading(panel.rng, panel.style.chinese)[:16], va="center", fontsize=size * 0.8,
                  color="white" if dark else "black")  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(-0.6, rows - 0.4))


@painted("hard_colorbar", 0.3)
def swatches(style: Style, rng: np.random.Generator) -> Picture:
    """Patches of colour with their codes, or one gradient over the whole picture."""
    table = palettes.by_name(str(rng.choice(["viridis", "jet", "Set3", "Spectral", "rainbow", "YlOrRd", "tab20"])))
    if rng.random() < 0.35:
        ramp = (table(np.linspace(0, 1, style.size[0]))[None, :, :3] * 255).astype(np.uint8)
        return Picture(Image.fromarray(np.repeat(ramp, style.size[1], axis=0)))
    pen = new_pen(style.size, "white")
    columns, rows = (int(n) for n in rng.integers(2, 7, 2))
    wide, high = style.size[0] / columns, style.size[1] / rows
    face = text.font(max(8, round(min(wide / 6, high / 5))))
    for number in range(columns * rows):
        x, y = number % columns * wide, number // columns * high
        colour = to_hex(table(number / (columns * rows)))
        pen.rectangle((x + 0.08 * wide, y + 0.08 * high, x + 0.92 * wide, y + 0.65 * high), fill=colour)
        pen.text((x + wide / 2, y + 0.8 * high), colour, "black", face, anchor="mm")
    return pen.picture()
