"""The looks of one image: size, fonts, colours, where title and colour bar stand. Charts and look-alikes share it.

Every office (`source`) has habits of its own, drawn from its name; an image keeps about half of them and draws the
rest afresh, so that splitting by source really changes the style.
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager

from meteo_ray.drawing.story import LOOSE
from meteo_ray.errors import UsageError

_CJK_FILES = ("NotoSansCJKsc-Regular.otf", "NotoSerifCJKsc-Regular.otf", "NotoSansMonoCJKsc-Regular.otf")
_SIZES = (
    (400, 300), (480, 360), (500, 500), (560, 420), (600, 450), (640, 480), (640, 480), (640, 560), (700, 500),
    (720, 540), (760, 600), (800, 450), (800, 600), (800, 600), (800, 640), (850, 680), (900, 600), (900, 700),
    (960, 540), (1000, 700), (1024, 768), (1100, 620), (560, 760), (620, 820), (700, 700), (1200, 800), (1280, 720),
    (1600, 1000), (1500, 1200), (1000, 480), (450, 600), (320, 260),
)  # fmt: skip
_FONTS = (
    ("Noto Sans CJK SC",), ("DejaVu Sans", "Noto Sans CJK SC"), ("DejaVu Sans", "Noto Sans CJK SC"),
    ("STIXGeneral", "Noto Serif CJK SC"), ("DejaVu Serif", "Noto Serif CJK SC"), ("Noto Serif CJK SC",),
    ("DejaVu Sans Mono", "Noto Sans Mono CJK SC"),
)  # fmt: skip
_BACKGROUNDS = ("white",) * 13 + ("#f5f5f5", "#eaeaea", "#fffef5", "#d9d9d9", "#eef4fb", "#101318", "#202833", "black")
_DARK = ("#101318", "#202833", "black")
_COASTS = ("black",) * 6 + ("#333333", "#555555", "#777777", "#5a3a1a", "#1f4fa0", "#808000", "white", "#00a000")
_LAND = ("none",) * 5 + ("#f3efe2", "#fce3b4", "#e8e8e8", "#dfe9d0", "#fdfbe8", "#cfcfcf", "#3a3a3a", "#ead9b8")
_OCEAN = ("none",) * 5 + ("#cfe7f7", "#e3f1fb", "#a9d3ee", "#dbe9f0", "#1a2a44", "#b5d0d0", "#0000e0", "#eeeeff")


def _dark_map(values: Mapping[str, Any]) -> bool:
    return values["land"] == "#3a3a3a" or (values["land"] == "none" and values["background"] in _DARK)


@dataclass(frozen=True)
class Style:
    """Habits of an office, or of one image."""

    size: tuple[int, int]  # pixels
    dpi: int
    chinese: bool
    fonts: tuple[str, ...]
    font_size: float  # points
    background: str
    title: str  # centre, left, split, inside, below, two_lines, bare (a variable's name), none
    title_scale: float
    bold: bool
    colour_bar: str  # right, bottom, left, top, boxes, inset, none
    bar_pointed: bool
    bar_fraction: float
    ticks: str  # degrees, plain, index, none
    ticks_inside: bool
    grid: str  # none, dotted, dashed, solid, crosses
    fill: str  # contourf, smooth, blocks
    levels: int
    coast: str
    coast_width: float
    borders: str  # none, thin, same
    resolution: str  # l or i
    land: str
    ocean: str
    frame_width: float
    contour_width: float
    wind: str  # barbs, arrows, streamlines
    margin: float  # empty paper around the panel, in letters; 0 lets the picture fill the page
    footer: bool
    logo: bool
    stations: bool  # values printed at places
    page: str  # none, window, web, notebook, slide, scan
    coder: str  # png, palette, jpeg
    habit: float  # how firmly the office keeps to its ways, 0.5 loosely .. 1 always

    @property
    def dark(self) -> bool:
        return self.background in _DARK

    @property
    def dark_map(self) -> bool:
        """Whether most of a map without filled colours is dark, so that lines on it must be light."""
        return _dark_map({"land": self.land, "background": self.background})

    @property
    def ink(self) -> str:
        """Colour of text and frames on the page's background."""
        return "#e8e8e8" if self.dark else "black"

    def rc(self) -> dict[str, Any]:
        """The rcParams that give these looks to whatever matplotlib draws."""
        return {
            "font.family": list(self.fonts),
            "font.size": self.font_size,
            "axes.unicode_minus": False,
            "figure.facecolor": self.background,
            "axes.facecolor": "black" if self.dark else "white",
            "axes.edgecolor": self.ink,
            "axes.linewidth": self.frame_width,
            "text.color": self.ink,
            "axes.labelcolor": self.ink,
            "xtick.color": self.ink,
            "ytick.color": self.ink,
            "xtick.labelsize": self.font_size * 0.85,
            "ytick.labelsize": self.font_size * 0.85,
            "legend.fontsize": self.font_size * 0.85,
            "xtick.direction": "in" if self.ticks_inside else "out",
            "ytick.direction": "in" if self.ticks_inside else "out",
            "xtick.major.width": self.frame_width,
            "ytick.major.width": self.frame_width,
            "contour.negative_linestyle": "dashed",
            "mathtext.fontset": "dejavusans",
            "path.simplify_threshold": 0.3,
        }


def _draw(rng: np.random.Generator) -> dict[str, Any]:
    def pick(*choices: Any) -> Any:
        return choices[int(rng.integers(len(choices)))]

    width, height = pick(*_SIZES)
    stretch = rng.uniform(0.9, 1.1, 2)
    return {
        "size": (round(width * stretch[0]), round(height * stretch[1])),
        "dpi": pick(72, 80, 100, 100, 100, 100, 120, 150),
        "chinese": rng.random() < 0.62,
        "fonts": pick(*_FONTS),
        "font_size": float(rng.uniform(6.5, 11)),
        "background": pick(*_BACKGROUNDS),
        "title": pick("centre", "centre", "centre", "left", "split", "split", "inside", "below", "two_lines",
                      "two_lines", "bare", "none"),
        "title_scale": float(rng.uniform(1.0, 1.6)),
        "bold": rng.random() < 0.25,
        "colour_bar": pick("right", "right", "right", "right", "bottom", "bottom", "bottom", "left", "top", "boxes",
                           "boxes", "inset", "none"),
        "bar_pointed": rng.random() < 0.5,
        "bar_fraction": float(rng.uniform(0.6, 1.0)),
        "ticks": pick("degrees", "degrees", "degrees", "plain", "plain", "index", "none", "none"),
        "ticks_inside": rng.random() < 0.3,
        "grid": pick("none", "none", "none", "dotted", "dashed", "dashed", "solid", "crosses"),
        "fill": pick("contourf", "contourf", "contourf", "smooth", "blocks"),
        "levels": int(rng.integers(6, 20)),
        "coast": pick(*_COASTS),
        "coast_width": float(rng.uniform(0.4, 1.4)),
        "borders": pick("none", "thin", "same", "same"),
        "resolution": pick("l", "l", "i"),
        "land": pick(*_LAND),
        "ocean": pick(*_OCEAN),
        "frame_width": float(pick(0.5, 0.8, 0.8, 1.0, 1.5, 2.2)),
        "contour_width": float(rng.uniform(0.5, 1.8)),
        "wind": pick("barbs", "barbs", "barbs", "arrows", "arrows", "streamlines"),
        "margin": float(pick(0, 1, 1, 1, 1, 1, 1, 2, 3, 5)),
        "footer": rng.random() < 0.35,
        "logo": rng.random() < 0.25,
        "stations": rng.random() < 0.15,
        "page": pick(*["none"] * 40, "window", "web", "notebook", "slide", "scan"),
        "coder": pick("png", "png", "palette", "palette", "jpeg", "jpeg"),
    }  # fmt: skip


def strictness(habit: float) -> float:
    """How far an office is from drawing freely: 0 for habits kept by half (LOOSE), 1 for habits always kept."""
    return max(0.0, (habit - LOOSE) / (1 - LOOSE))


def sample_style(rng: np.random.Generator, source: str, habit: float = LOOSE) -> Style:
    """Draw the looks of one image issued by `source`; each of the office's habits is kept with chance `habit`."""
    office = _draw(np.random.default_rng([zlib.crc32(source.encode()), 7]))
    own = _draw(rng)
    kept = {field.name: office if rng.random() < habit else own for field in fields(Style) if field.name != "habit"}
    kept["size"] = kept["page"] = kept["coder"] = own
    values = {**{name: origin[name] for name, origin in kept.items()}, "habit": habit}
    if rng.random() < strictness(habit):
        values |= {"page": "none", "size": office["size"]}
    if _dark_map(values):
        values["coast"] = "white" if values["coast"] in ("black", "#333333", "#5a3a1a") else values["coast"]
    elif values["coast"] == "white":
        values["coast"] = "black"
    if values["title"] == "below" and values["colour_bar"] == "bottom":
        values["title"] = "inside"
    # Letters below about 8 pixels, or an eightieth of a large picture, would not be read by anyone.
    smallest = max(8.0, values["size"][0] / 80)
    pixels = np.clip(values["font_size"] * values["dpi"] / 72, smallest, max(min(values["size"]) / 24, smallest))
    values["font_size"] = float(pixels * 72 / values["dpi"])
    return Style(**values)


@lru_cache(maxsize=1)
def font_files() -> tuple[Path, ...]:
    """The Chinese faces that mplfonts carries, made known to matplotlib.

    Raises:
        UsageError: when mplfonts is not installed or lacks them.
    """
    spec = find_spec("mplfonts")
    found = (
        tuple(Path(next(iter(spec.submodule_search_locations))) / "fonts" / name for name in _CJK_FILES)
        if (spec and spec.submodule_search_locations)
        else ()
    )
    if not found or not all(path.is_file() for path in found):
        raise UsageError("the Chinese fonts of mplfonts are missing: run `pip install mplfonts`")
    for path in found:
        font_manager.fontManager.addfont(str(path))
    return found
