"""Invented office logos: round badges with a sun, waves, a vane, a drop or letters, on a clear ground."""

import numpy as np
from PIL import Image

from meteo_ray.drawing import text
from meteo_ray.drawing.lettering import Picture
from meteo_ray.drawing.pen import Pen, new_pen

_COLOURS = ("#0b4f9e", "#c8102e", "#00843d", "#f2a900", "#5b2c83", "#00a3ad", "#222222", "#d9541e")


def draw_logo(rng: np.random.Generator, side: int) -> Picture:
    """An RGBA logo `side` pixels high (wordmarks are wider), drawn four times larger for smooth edges."""
    s = side * 4
    pen = new_pen((s, s), (0, 0, 0, 0), "RGBA")
    first, second = (str(c) for c in rng.choice(_COLOURS, 2, replace=False))
    outer = int(rng.integers(3))
    if outer == 0:
        pen.ellipse((0, 0, s - 1, s - 1), fill=first)
    elif outer == 1:
        pen.ellipse((0, 0, s - 1, s - 1), fill="white", outline=first, width=s // 14)
    else:
        pen.rounded_rectangle((0, 0, s - 1, s - 1), s // 6, fill=first)
    _sign(pen, rng, s, second if outer == 1 else "white", second)
    badge = pen.picture().resized((side, side), Image.Resampling.LANCZOS)
    if rng.random() < 0.35 and side >= 24:
        return _with_word(badge, rng, first, side)
    return badge


def _sign(pen: Pen, rng: np.random.Generator, s: int, colour: str, second: str) -> None:
    choice = int(rng.integers(5))
    if choice == 0:  # sun
        pen.ellipse((s * 0.35, s * 0.35, s * 0.65, s * 0.65), fill=colour)
        for angle in np.arange(0, 2 * np.pi, np.pi / 4):
            near, far = (
                s * (0.5 + 0.2 * np.array([np.cos(angle), np.sin(angle)])),
                s * (0.5 + 0.36 * np.array([np.cos(angle), np.sin(angle)])),
            )
            pen.line([tuple(near), tuple(far)], fill=colour, width=s // 22)
    elif choice == 1:  # waves
        x = np.linspace(0.18, 0.82, 40)
        for level in (0.38, 0.52, 0.66):
            pen.line([(float(a) * s, float(level + 0.05 * np.sin(a * 20)) * s) for a in x], fill=colour, width=s // 18)
    elif choice == 2:  # vane
        pen.line((s * 0.5, s * 0.2, s * 0.5, s * 0.85), fill=colour, width=s // 18)
        pen.polygon([(s * 0.18, s * 0.4), (s * 0.75, s * 0.28), (s * 0.75, s * 0.52)], fill=colour)
    elif choice == 3:  # drop
        pen.polygon([(s * 0.5, s * 0.15), (s * 0.3, s * 0.55), (s * 0.7, s * 0.55)], fill=colour)
        pen.ellipse((s * 0.28, s * 0.4, s * 0.72, s * 0.84), fill=colour)
    else:
        letters = "".join(chr(65 + int(i)) for i in rng.integers(0, 26, 2))
        pen.text((s / 2, s / 2), letters, colour, text.font(round(s * 0.5)), anchor="mm")


def _with_word(badge: Picture, rng: np.random.Generator, colour: str, side: int) -> Picture:
    word = str(rng.choice(["示范气象", "DEMO MET", "云图中心", "WX LAB", "海洋台", "NWC"]))
    face = text.font(max(10, side // 2))
    pen = new_pen((side + round(face.getlength(word)) + side // 4, side), (0, 0, 0, 0), "RGBA")
    pen.paste(badge, 0, 0)
    pen.text((side + side // 8, side / 2), word, colour, face, anchor="lm")
    return pen.picture()


def draw_logos(seed: int, count: int = 10, side: int = 96) -> list[Picture]:
    """The logos of one data set; the same seed gives the same ones."""
    return [draw_logo(np.random.default_rng([seed, 3, number]), side) for number in range(count)]
