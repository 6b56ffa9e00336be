"""Maps of rain in the colours that forecasters know, as strips and animations; scores by lead."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from PIL import Image

from meteo_ray.metrics.plots import ACCENT, DOTS_PER_INCH, INK, SOFT, png

LEVELS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)
"""mm/h: each twice the one before, as on the scales of most weather services."""

COLOURS = (
    "#c8e4f7", "#93c6ee", "#4f9be0", "#1f5fc4", "#2aa147", "#8ccc3f", "#f6e13c", "#f59a23", "#e23a25", "#9b1fa1",
)  # fmt: skip
"""Light blue for drizzle over green and yellow to red and violet."""

UNSEEN = "#e6e6e6"

ERROR_LIMIT = 8.0
"""mm/h at which the colours of an error end."""

FRAME_MS = 400


def _scale() -> tuple[ListedColormap, BoundaryNorm]:
    colours = ListedColormap(list(COLOURS))
    colours.set_bad(UNSEEN)
    colours.set_under("white")
    return colours, BoundaryNorm(LEVELS, colours.N)


def strip(
    titles: Sequence[str], rows: Mapping[str, Sequence[np.ndarray]], errors: Mapping[str, Sequence[np.ndarray]]
) -> bytes:
    """A PNG: a line of maps for each of `rows` (rain, mm/h) and `errors` (forecast less observed), a column a title.

    Maps are `(rows, columns)` with NaN where unseen.
    """
    lines = len(rows) + len(errors)
    height, width = next(iter(rows.values()))[0].shape
    side = 2.3
    figure = Figure(
        (side * len(titles) + 1.2, side * height / width * lines + 0.5), DOTS_PER_INCH, layout="constrained"
    )
    axes = figure.subplots(lines, len(titles), squeeze=False)
    colours, norm = _scale()
    for line, (name, maps) in enumerate(rows.items()):
        for column, field in enumerate(maps):
            _map(axes[line, column], field, colours, norm)
        axes[line, 0].set_ylabel(name, fontsize=9, color=INK)
    for line, (name, maps) in enumerate(errors.items(), start=len(rows)):
        for column, field in enumerate(maps):
            shown = axes[line, column].imshow(field, cmap="RdBu", vmin=-ERROR_LIMIT, vmax=ERROR_LIMIT)
            _bare(axes[line, column])
        axes[line, 0].set_ylabel(name, fontsize=9, color=INK)
        figure.colorbar(shown, ax=axes[line, :].tolist(), label="mm/h", shrink=0.8)
    for column, title in enumerate(titles):
        axes[0, column].set_title(title, fontsize=9, color=INK)
    if rows:
        figure.colorbar(
            ScalarMappable(norm, colours), ax=axes[: len(rows), :].ravel().tolist(), label="mm/h", shrink=0.8
        )
    return png(figure)


def animation(
    titles: Sequence[str], panels: Mapping[str, Sequence[np.ndarray]], errors: Mapping[str, Sequence[np.ndarray]]
) -> bytes:
    """A GIF: one picture for each title, the panels beside each other."""
    frames = []
    for number, title in enumerate(titles):
        names = {name: [maps[number]] for name, maps in panels.items()}
        wrong = {name: [maps[number]] for name, maps in errors.items()}
        frames.append(_beside(title, names, wrong))
    buffer = io.BytesIO()
    frames[0].save(buffer, format="GIF", save_all=True, append_images=frames[1:], duration=FRAME_MS, loop=0)
    return buffer.getvalue()


def by_lead(title: str, label: str, minutes: Sequence[int], values: Mapping[str, Sequence[float | None]]) -> bytes:
    """A PNG of a score against the lead, a line a forecaster."""
    figure = Figure((4.6, 3.6), DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    colours = (ACCENT, INK, "#c77d3b", "#4c8a5b", "#8a5b8f", SOFT, "#b03a48")
    for (name, points), colour in zip(values.items(), colours, strict=False):
        numbers = [np.nan if point is None else point for point in points]
        axes.plot(minutes, numbers, "o-", markersize=3, color=colour, label=name)
    axes.set_title(title, fontsize=10, color=INK)
    axes.set_xlabel("minutes ahead")
    axes.set_ylabel(label)
    axes.grid(color=SOFT, alpha=0.3)
    axes.legend(frameon=False, fontsize=7)
    return png(figure)


def reliability(title: str, curves: Mapping[str, Sequence[Mapping[str, float]]]) -> bytes:
    """A PNG: how often it rained where it was this likely, a line a threshold."""
    figure = Figure((4.6, 3.6), DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=SOFT, linestyle="--", linewidth=1)
    for (name, bins), colour in zip(curves.items(), (ACCENT, "#c77d3b", "#9b1fa1"), strict=False):
        axes.plot([b["level"] for b in bins], [b["observed"] for b in bins], "o-", color=colour, label=f"{name} mm/h")
    axes.set_title(title, fontsize=10, color=INK)
    axes.set_xlabel("likelihood")
    axes.set_ylabel("share with rain")
    axes.legend(frameon=False, fontsize=8)
    return png(figure)


def _beside(
    title: str, panels: Mapping[str, Sequence[np.ndarray]], errors: Mapping[str, Sequence[np.ndarray]]
) -> Image.Image:
    height, width = next(iter(panels.values()))[0].shape
    count = len(panels) + len(errors)
    figure = Figure((2.8 * count, 2.8 * height / width + 0.7), dpi=80, layout="constrained")
    axes = figure.subplots(1, count, squeeze=False)[0]
    colours, norm = _scale()
    for place, (name, (field,)) in zip(axes, panels.items(), strict=False):
        _map(place, field, colours, norm)
        place.set_title(name, fontsize=9)
    for place, (name, (field,)) in zip(axes[len(panels) :], errors.items(), strict=True):
        place.imshow(field, cmap="RdBu", vmin=-ERROR_LIMIT, vmax=ERROR_LIMIT)
        _bare(place)
        place.set_title(name, fontsize=9)
    figure.suptitle(title, fontsize=10)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba()))
    return picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)


def _map(axes: Axes, field: np.ndarray, colours: ListedColormap, norm: BoundaryNorm) -> None:
    axes.imshow(np.ma.masked_invalid(field), cmap=colours, norm=norm, interpolation="nearest")
    _bare(axes)


def _bare(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
