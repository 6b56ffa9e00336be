"""A panel: the part of a page that one drawing fills. It keeps room for title, colour bar and ticks.

Charts and look-alikes draw through the same panels, so that nothing about the page tells which of the two it is.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Literal, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from meteo_ray.drawing import palettes
from meteo_ray.drawing.story import Story
from meteo_ray.drawing.style import Style, strictness

Choice = TypeVar("Choice")
Rect = tuple[float, float, float, float]  # left, bottom, width, height as shares of the figure


@dataclass
class Panel:
    """Where one drawing goes, and the means to draw it in the image's style."""

    figure: Figure
    rect: Rect
    style: Style
    rng: np.random.Generator
    story: Story
    names: tuple[str, str] = ("", "")  # what the title says, zh and en
    shown: set[str] = field(default_factory=set)  # elements drawn beyond those of the product
    bar_above: bool = False  # the title must leave room for a colour bar between itself and the axes

    def words(self, zh: str, en: str) -> str:
        return zh if self.style.chinese else en

    def chance(self, probability: float) -> bool:
        return bool(self._decider().random() < probability)

    def pick(self, *choices: Choice) -> Choice:
        """One of `choices`, each as likely."""
        return choices[int(self._decider().integers(len(choices)))]

    @cached_property
    def _house(self) -> np.random.Generator:
        """Decides the same way in every picture of one name that the office issues."""
        return np.random.default_rng([zlib.crc32(f"{self.story.source} {self.names[0]}".encode()), 9])

    def _decider(self) -> np.random.Generator:
        """An office of firm habits draws a product the same way every day; only the weather is new."""
        return self._house if self._firm() else self.rng

    def _firm(self) -> bool:
        firmness = strictness(self.style.habit)
        return firmness > 0 and bool(self.rng.random() < firmness)

    @property
    def pixels(self) -> tuple[float, float]:
        """Width and height of the panel in pixels."""
        return self.rect[2] * self.style.size[0], self.rect[3] * self.style.size[1]

    def _em(self) -> tuple[float, float]:
        """The height of a letter as shares of the figure's width and height."""
        pixels = self.style.font_size * self.style.dpi / 72
        return pixels / self.style.size[0], pixels / self.style.size[1]

    def room(self, bar: bool, labels: bool) -> Rect:
        """The rectangle left for the axes when title, tick labels and (with `bar`) the colour bar have theirs."""
        em_x, em_y = self._em()
        margin = self.style.margin
        left, bottom, right, top = (1.2 * margin * em_x, 1.2 * margin * em_y, 1.2 * margin * em_x, 0.8 * margin * em_y)
        top += {"none": 0.0, "inside": 0.0, "below": 0.0, "two_lines": 4.2}.get(self.style.title, 2.6) * em_y
        bottom += 2.4 * em_y if self.style.title == "below" else 0.0
        if labels:
            left, bottom = left + 3.2 * em_x, bottom + 2.2 * em_y
        if bar:
            place = self.style.colour_bar
            right += 5.0 * em_x if place == "right" else 0.0
            left += 5.0 * em_x if place == "left" else 0.0
            bottom += 4.0 * em_y if place == "bottom" else 0.0
            top += 3.2 * em_y if place == "top" else 0.0
        x, y, width, height = self.rect
        return (
            x + left,
            y + bottom,
            max(width - left - right, 0.35 * width),
            max(height - bottom - top, 0.35 * height),
        )

    def axes(self, bar: bool = False, labels: bool = True, polar: bool = False, aspect: float = 0) -> Axes:
        """Add axes in the panel's room; `aspect` (width / height in pixels) shrinks them to that shape."""
        room = self.room(bar, labels)
        self.bar_above = bar and self.style.colour_bar == "top"
        axes = self.figure.add_axes(self._shrunk(room, aspect) if aspect else room, polar=polar)
        if self.style.grid not in ("none", "crosses") and not polar:
            dashes = {"dotted": ":", "dashed": "--", "solid": "-"}[self.style.grid]
            axes.grid(True, linestyle=dashes, linewidth=0.5, color="#999999")
        return axes

    def _shrunk(self, room: Rect, aspect: float) -> Rect:
        x, y, width, height = room
        page = self.style.size[0] / self.style.size[1]
        if width * page / height > aspect:
            narrower = aspect * height / page
            return x + (width - narrower) / 2, y, narrower, height
        lower = width * page / aspect
        return x, y + (height - lower) / 2, width, lower

    def title(self, axes: Axes, second: str | None = None) -> None:
        """Print the panel's name and time where the style has them."""
        name = self.words(*self.names)
        second = self.story.time_text(self.style.chinese, self.rng) if second is None else second
        size = self._fitting_size(name, axes)
        weight = "bold" if self.style.bold else "normal"
        place = self.style.title
        pad = self.style.font_size * (3.6 if self.bar_above else 0.5)
        if place in ("centre", "left", "bare"):
            text = f"{name} {second}" if self.chance(0.3) and place != "bare" else name
            side: Literal["left", "center"] = "left" if place == "left" else "center"
            size = self._fitting_size(text, axes)
            axes.set_title(text, loc=side, fontsize=size, weight=weight, pad=pad)
        elif place == "split":
            half = min(size, 0.55 * self._fitting_size(name + second, axes) + 0.3 * self.style.font_size)
            axes.set_title(name, loc="left", fontsize=half, weight=weight, pad=pad)
            axes.set_title(second, loc="right", fontsize=half * 0.85, pad=pad)
        elif place == "two_lines":
            size = min(size, self._fitting_size(second, axes))
            axes.set_title(f"{name}\n{second}", fontsize=size, weight=weight, pad=pad)
        elif place == "inside":
            axes.text(
                0.015,
                0.985,
                f"{name}\n{second}",
                transform=axes.transAxes,
                va="top",
                fontsize=size * 0.8,
                color="black",
                zorder=30,
                bbox={"facecolor": "white", "edgecolor": "#666666", "pad": 2.5},
            )
        elif place == "below":
            axes.text(0.5, -0.06 if not axes.get_xticks().size else -0.1, f"{name}  {second}", ha="center", va="top",
                      transform=axes.transAxes, fontsize=self._fitting_size(name + second, axes))  # fmt: skip

    def _fitting_size(self, text: str, axes: Axes) -> float:
        """Title size in points, made smaller until the text is no wider than the axes (a CJK letter is an em wide)."""
        ems = sum(1.0 if ord(letter) > 0x2E80 else 0.58 for letter in text)
        width_points = axes.get_position().width * self.style.size[0] * 72 / self.style.dpi
        size = self.style.font_size * self.style.title_scale
        return float(np.clip(width_points * 1.05 / max(ems, 1), 4.5, size))

    def colours(self, kind: str, levels: Sequence[float] | np.ndarray) -> tuple[ListedColormap, BoundaryNorm]:
        """Colours of `kind` for the intervals between `levels`, values outside taking the end colours."""
        scale_of_office = np.random.default_rng([zlib.crc32(f"{self.story.source} {kind}".encode()), 8])
        rng = scale_of_office if self._firm() else self.rng
        colours = palettes.choose(rng, kind, len(levels) - 1)
        return colours, BoundaryNorm(levels, colours.N, clip=False)

    def colour_bar(self, axes: Axes, mappable: ScalarMappable, label: str = "") -> None:
        """The scale of `mappable`, where the style has it."""
        place = self.style.colour_bar
        if place == "none":
            return
        if place == "boxes":
            self._boxes(axes, mappable, label)
            return
        upright = place in ("right", "left", "inset")
        bar_axes = self.figure.add_axes(self._bar_rect(axes), zorder=12)
        bar = self.figure.colorbar(
            mappable,
            cax=bar_axes,
            orientation="vertical" if upright else "horizontal",
            extend="both" if self.style.bar_pointed and place != "inset" else "neither",
            ticks=_some_levels(mappable, 12 if upright else 14),
            drawedges=bool(self.style.frame_width > 1 and len(getattr(mappable.norm, "boundaries", ())) < 24),
        )
        if place == "top":
            bar_axes.xaxis.set_ticks_position("top")
        if label and self.chance(0.6):
            if upright and self.chance(0.3):
                bar_axes.set_title(label, fontsize=self.style.font_size * 0.85)
            else:
                bar.set_label(label, fontsize=self.style.font_size * 0.9)

    def _bar_rect(self, axes: Axes) -> Rect:
        """Where the colour bar stands beside `axes`."""
        box, (em_x, em_y) = axes.get_position(), self._em()
        share = self.style.bar_fraction
        x, width = box.x0 + (1 - share) / 2 * box.width, share * box.width
        y, height = box.y0 + (1 - share) / 2 * box.height, share * box.height
        ticks = 3.2 if self.style.ticks != "none" and axes.get_xticklabels() else 1.0  # letters high
        return {
            "right": (box.x1 + em_x, y, 1.3 * em_x, height),
            "left": (box.x0 - 6.5 * em_x, y, 1.3 * em_x, height),
            "bottom": (x, box.y0 - (ticks + 0.9) * em_y, width, em_y),
            "top": (x, box.y1 + 0.6 * em_y, width, em_y),
            "inset": (box.x1 - 5 * em_x, box.y0 + 0.05 * box.height, em_x, 0.4 * box.height),
        }[self.style.colour_bar]

    def _boxes(self, axes: Axes, mappable: ScalarMappable, label: str) -> None:
        """A legend of coloured boxes in a corner of the map, as Chinese offices print it."""
        edges = np.asarray(getattr(mappable.norm, "boundaries", np.linspace(*mappable.get_clim(), 7)))
        if len(edges) > 14:
            edges = edges[:: int(np.ceil(len(edges) / 12))]
        em_x, em_y = self._em()
        box = axes.get_position()
        left = box.x0 if self.chance(0.75) else box.x1 - 6.2 * em_x
        rows = len(edges) - 1
        height = min((rows + 1.8) * 1.25 * em_y, 0.6 * box.height)
        legend = self.figure.add_axes((left, box.y0, 6.2 * em_x, height), zorder=12)
        legend.set(xlim=(0, 1), ylim=(0, rows + 1.6), xticks=[], yticks=[], facecolor="white")
        legend.grid(False)
        size = min(self.style.font_size * 0.8, 0.6 * height * self.style.size[1] / (rows + 1.6) * 72 / self.style.dpi)
        for row, (low, high) in enumerate(pairwise(edges)):
            colour = mappable.cmap(mappable.norm((low + high) / 2))
            legend.add_patch(
                Rectangle((0.06, row + 0.3), 0.28, 0.75, facecolor=colour, edgecolor="#444444", linewidth=0.4)
            )
            legend.text(0.4, row + 0.65, f"{low:g}~{high:g}" if row < rows - 1 else f"≥{low:g}", va="center",
                        fontsize=size, color="black")  # fmt: skip
        legend.text(0.5, rows + 0.9, label or self.words("图例", "Legend"), ha="center", va="center", fontsize=size,
                    color="black")  # fmt: skip


def _some_levels(mappable: ScalarMappable, most: int) -> np.ndarray | None:
    """Every n-th level, so that at most `most` numbers stand along a colour bar."""
    edges = getattr(mappable.norm, "boundaries", None)
    if edges is None:
        return None
    return np.asarray(edges)[:: int(np.ceil(len(edges) / most))]


def nice_levels(low: float, high: float, count: int) -> np.ndarray:
    """About `count` intervals of a round step covering `low` to `high`."""
    raw = max(high - low, 1e-9) / max(count, 1)
    magnitude = 10.0 ** np.floor(np.log10(raw))
    step = magnitude * next(s for s in (1, 2, 2.5, 5, 10) if raw <= s * magnitude * 1.001)
    first = np.floor(low / step)
    edges = max(int(np.ceil(high / step) - first) + 1, 2)  # a field that is zero everywhere still has one interval
    return (first + np.arange(edges)) * step
