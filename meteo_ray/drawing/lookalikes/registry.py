"""Which function draws which picture that is no weather chart, and how hard it is to tell from one."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from meteo_ray.drawing.lettering import Picture
from meteo_ray.drawing.panel import Panel
from meteo_ray.drawing.style import Style

KINDS = ("hard_plot", "hard_map", "hard_diagram", "hard_colorbar", "doc", "ui", "photo_art", "easy")

PanelDraw = Callable[[Panel], None]
PixelDraw = Callable[[Style, np.random.Generator], Picture]


@dataclass(frozen=True)
class Lookalike:
    """One kind of negative: drawn in a panel by matplotlib (`draw`) or directly as pixels (`paint`)."""

    name: str
    kind: str
    weight: float
    titles: tuple[tuple[str, str], ...] = ()
    draw: PanelDraw | None = None
    paint: PixelDraw | None = None


LOOKALIKES: dict[str, Lookalike] = {}


def _add(entry: Lookalike) -> None:
    if entry.kind not in KINDS:
        raise ValueError(f"{entry.name}: no such kind {entry.kind}")
    if entry.name in LOOKALIKES:
        raise ValueError(f"two look-alikes are called {entry.name}")
    LOOKALIKES[entry.name] = entry


def plotted(kind: str, *titles: tuple[str, str], weight: float = 1.0) -> Callable[[PanelDraw], PanelDraw]:
    """Register a function that draws in a panel, printed under one of `titles` (zh, en)."""

    def register(draw: PanelDraw) -> PanelDraw:
        _add(Lookalike(draw.__name__, kind, weight, titles, draw=draw))
        return draw

    return register


def painted(kind: str, weight: float = 1.0) -> Callable[[PixelDraw], PixelDraw]:
    """Register a function that makes the whole picture itself."""

    def register(paint: PixelDraw) -> PixelDraw:
        _add(Lookalike(paint.__name__, kind, weight, paint=paint))
        return paint

    return register
