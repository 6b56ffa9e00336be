"""A canvas for matplotlib's figures that notes every line of text as it is drawn.

It listens to the renderer instead of asking the figure for its texts: a figure also holds texts that are never drawn,
such as ticks beyond the axes' limits and the labels of axes that are switched off.
"""

import re
from math import cos, radians, sin
from typing import Any

import numpy as np
from matplotlib.backend_bases import GraphicsContextBase
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

from meteo_ray.drawing.lettering import (
    CONTRAST,
    CUT,
    Box,
    Edges,
    Trace,
    Words,
    letters_within,
    pixel_box,
    still_seen,
    trace,
    trace_of_known,
)

LETTER = 1.1  # times its size, what the widest letter takes
UNCUT = 0.98  # share of a line's width that is as good as all of it

_RAISED = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")


class Listener(RendererAgg):
    """Draws as RendererAgg does and keeps a trace of every line of text."""

    traces: list[Trace]

    def clear(self) -> None:
        super().clear()
        self.traces = []

    def draw_text(
        self,
        gc: GraphicsContextBase,
        x: float,
        y: float,
        s: str,
        prop: FontProperties,
        angle: float,
        ismath: Any = False,
        mtext: Text | None = None,
    ) -> None:
        size, reach = self.points_to_pixels(prop.get_size_in_points()), self._reach(gc)
        # Measuring text costs as much as drawing it: room that is surely enough will do while no edge is near.
        roomy = _edges(x, y, LETTER * size * (len(s) + 1), 2 * size, 0.6 * size, angle)
        left, top, right, bottom = box = pixel_box(roomy, reach)
        before = self.pixels()[top:bottom, left:right].copy()
        super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)
        text = plain(s) if ismath else s
        if text and before.size and pixel_box(roomy) != box:
            width, height, descent = self.get_text_width_height_descent(s, prop, ismath)
            exact = _edges(x, y, width, height, descent, angle)
            text = self._uncut(text, prop, exact, reach, whole=bool(ismath or angle))
        if text and before.size:
            found = trace(text, size, box, before, self.pixels()[top:bottom, left:right])
            self.traces += [found] if found else []

    def pixels(self) -> np.ndarray:
        return np.asarray(self.buffer_rgba())

    def _reach(self, gc: GraphicsContextBase) -> Box:
        """The pixels that can be drawn on: those of the figure and within the clip."""
        clip = gc.get_clip_rectangle()
        if clip is None:
            return 0, 0, int(self.width), int(self.height)
        left, right = max(0, round(clip.x0)), min(int(self.width), round(clip.x1))
        return left, max(0, round(self.height - clip.y1)), right, min(int(self.height), round(self.height - clip.y0))

    def _uncut(self, text: str, prop: FontProperties, edges: Edges, reach: Box, whole: bool) -> str:
        """What the edges of `reach` leave of a text; of a `whole` one, which cannot be cut, all or nothing."""
        wide = _share_within(edges[0], edges[2], reach[0], reach[2])
        high = _share_within(edges[1], edges[3], reach[1], reach[3])
        if whole:
            return text if wide * high >= CUT else ""
        if high < CUT or wide > UNCUT:
            return text if high >= CUT else ""

        def width_of(part: str) -> float:
            return self.get_text_width_height_descent(part, prop, False)[0]

        return letters_within(text, edges[0], (reach[0], reach[2]), width_of)


class ListeningCanvas(FigureCanvasAgg):
    """A canvas for one drawing of one figure; `words()` tells what it shows once it is drawn."""

    _listener: Listener | None = None

    def get_renderer(self) -> Listener:
        if self._listener is None:
            self._listener = Listener(*self.figure.bbox.size, self.figure.dpi)
        return self._listener

    def words(self) -> tuple[Words, ...]:
        listener = self.get_renderer()
        pixels = listener.pixels()
        return (*still_seen(listener.traces, pixels), *self._outlined(listener, pixels))

    def _outlined(self, listener: Listener, pixels: np.ndarray) -> tuple[Words, ...]:
        """Texts with path effects, the letters of highs and lows, which matplotlib draws as shapes."""
        found = []
        for text in (text for axes in self.figure.axes for text in axes.texts if text.get_path_effects()):
            box = text.get_window_extent(listener)
            size = listener.points_to_pixels(text.get_fontsize())
            words = Words(text.get_text(), box.x0, listener.height - box.y1, box.x1, listener.height - box.y0, size)
            known = trace_of_known(words, pixels)
            if known and _has_colour(known.colours, text):
                found.append(words)
        return tuple(found)


def plain(math: str) -> str | None:
    """What mathtext shows, where that is one line of characters; None for fractions, roots and the like."""
    text = re.sub(r"\\math[a-z]+\{((?:[^{}]|\{[^{}]*\})*)\}", r"\1", math)
    text = re.sub(r"\^(?:\{([^{}]*)\}|([^{}\\]))", lambda found: (found[1] or found[2]).translate(_RAISED), text)
    text = text.replace("$", "")
    return None if re.search(r"[\\{}^_]", text) else text


def _edges(x: float, y: float, width: float, height: float, descent: float, angle: float) -> Edges:
    """Left, top, right and bottom of a line whose baseline begins at (x, y) and runs upwards at `angle` degrees."""
    c, s = cos(radians(angle)), sin(radians(angle))
    corners = [(along, up) for along in (0, width) for up in (-descent, height - descent)]
    xs = [x + along * c - up * s for along, up in corners]
    ys = [y - along * s - up * c for along, up in corners]
    return min(xs), min(ys), max(xs), max(ys)


def _share_within(low: float, high: float, first: float, last: float) -> float:
    return min(max((min(high, last) - max(low, first)) / max(high - low, 1e-9), 0.0), 1.0)


def _has_colour(colours: np.ndarray, text: Text) -> bool:
    """Whether the ink of `text` is among the pixels: something drawn over it would have hidden it."""
    ink = np.round(np.array(to_rgb(text.get_color())) * 255)
    return bool((np.abs(colours[:, :3] - ink).max(axis=1) <= CONTRAST).any())
