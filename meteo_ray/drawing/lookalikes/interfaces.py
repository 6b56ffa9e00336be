"""Screens: editors, terminals, dialogues, dashboards, web pages, phones."""

import numpy as np

from meteo_ray.drawing import text
from meteo_ray.drawing.lettering import Picture
from meteo_ray.drawing.lookalikes.registry import painted
from meteo_ray.drawing.pen import Pen, new_pen
from meteo_ray.drawing.style import Style

_INKS = ("#d4d4d4", "#569cd6", "#ce9178", "#6a9955", "#dcdcaa", "#c586c0")


@painted("ui", 1.2)
def terminal(style: Style, rng: np.random.Generator) -> Picture:
    """A terminal or an editor: lines of code, dark or light, syntax coloured or plain."""
    dark = rng.random() < 0.7
    pen = new_pen(style.size, str(rng.choice(["#1e1e1e", "black", "#300a24", "#002b36"])) if dark else "white")
    size = int(rng.integers(11, 19))
    numbered, left = rng.random() < 0.5, 10
    if rng.random() < 0.35:  # the editor's file list
        left = style.size[0] // 4
        pen.rectangle((0, 0, left - 8, style.size[1]), fill="#252526" if dark else "#f3f3f3")
        for y in range(12, style.size[1], size + 8):
            pen.text((12, y), text.heading(rng, False)[:14], "#aaaaaa" if dark else "#444444", text.font(size - 1, 2))
    plain = "#33ff33" if rng.random() < 0.2 else "#d4d4d4"
    for row, y in enumerate(range(8, style.size[1] - size, round(size * 1.4))):
        if numbered:
            pen.text((left, y), f"{row + 1:3d}", "#858585", text.font(size, 2))
        ink = (
            (str(rng.choice(_INKS)) if rng.random() < 0.5 else plain)
            if dark
            else str(rng.choice(["black", "#0000aa", "#007000"]))
        )
        if rng.random() < 0.9:
            pen.text((left + (44 if numbered else 0), y), text.code_line(rng), ink, text.font(size, 2))
    return pen.picture()


@painted("ui", 1.2)
def dialogue(style: Style, rng: np.random.Generator) -> Picture:
    """A window with fields, buttons, tick boxes and menus."""
    paper = str(rng.choice(["#f0f0f0", "#ffffff", "#ececec", "#2d2d30"]))
    pen = new_pen(style.size, paper)
    width, height = style.size
    dark = paper == "#2d2d30"
    ink, size = ("#e0e0e0" if dark else "#202020"), int(rng.integers(12, 18))
    pen.rectangle((0, 0, width, 30), fill=str(rng.choice(["#0078d7", "#dddddd", "#3a3a3a", "#ffffff"])))
    pen.text((10, 6), text.heading(rng, style.chinese)[:16], "#808080", text.font(size))
    y = 46
    while y < height - 60:
        choice = int(rng.integers(4))
        pen.text((24, y), text.heading(rng, style.chinese)[:14], ink, text.font(size))
        if choice == 0:
            pen.rectangle((width * 0.4, y - 2, width * 0.9, y + size + 6), fill="white", outline="#999999")
        elif choice == 1:
            pen.rectangle((width * 0.4, y, width * 0.4 + size, y + size), outline=ink)
            pen.line((width * 0.4 + 2, y + size / 2, width * 0.4 + size / 2, y + size - 2), fill="#0078d7", width=2)
        elif choice == 2:
            pen.ellipse((width * 0.4, y, width * 0.4 + size, y + size), outline=ink)
        else:
            pen.rounded_rectangle((width * 0.4, y, width * 0.8, y + 10), 5, fill="#c8c8c8")
            pen.rounded_rectangle((width * 0.4, y, width * rng.uniform(0.45, 0.8), y + 10), 5, fill="#0078d7")
        y += round(size * rng.uniform(2.0, 2.8))
    for x in (width - 200, width - 100):
        pen.rounded_rectangle((x, height - 44, x + 86, height - 14), 4, fill="#e1e1e1", outline="#adadad")
        pen.text((x + 14, height - 40), text.heading(rng, style.chinese)[:4], "black", text.font(size))
    return pen.picture()


@painted("ui", 1.2)
def dashboard(style: Style, rng: np.random.Generator) -> Picture:
    """Tiles with numbers, gauges and small curves."""
    dark = rng.random() < 0.5
    pen = new_pen(style.size, "#0f1b2d" if dark else "#eef1f5")
    columns, rows = int(rng.integers(2, 5)), int(rng.integers(2, 4))
    w, h = style.size[0] / columns, style.size[1] / rows
    for number in range(columns * rows):
        r, c = divmod(number, columns)
        box = (c * w + 6, r * h + 6, (c + 1) * w - 6, (r + 1) * h - 6)
        pen.rounded_rectangle(box, 8, fill="#16283f" if dark else "white", outline="#2f4a6b" if dark else "#d0d6de")
        pen.text(
            (box[0] + 10, box[1] + 6),
            text.heading(rng, style.chinese)[:8],
            "#8fb3d9" if dark else "#555555",
            text.font(14),
        )
        _tile(pen, rng, box, dark)
    return pen.picture()


def _tile(pen: Pen, rng: np.random.Generator, box: tuple[float, float, float, float], dark: bool) -> None:
    x0, y0, x1, y1 = box
    colour = str(rng.choice(["#2fb5ff", "#46d39a", "#f7b84b", "#f1556c", "#8c6ff0"]))
    choice = int(rng.integers(4))
    if choice == 0:
        pen.text(
            (x0 + 16, (y0 + y1) / 2 - 14),
            f"{rng.integers(10, 99999):,}",
            colour,
            text.font(max(16, int((y1 - y0) / 5))),
        )
    elif choice == 1:
        xs = np.linspace(x0 + 12, x1 - 12, 40)
        ys = (y0 + y1) / 2 + np.cumsum(rng.normal(0, (y1 - y0) * 0.03, 40))
        pen.line(
            [(float(x), float(np.clip(y, y0 + 28, y1 - 8))) for x, y in zip(xs, ys, strict=True)], fill=colour, width=2
        )
    elif choice == 2:
        for x in np.linspace(x0 + 14, x1 - 24, 9):
            pen.rectangle((x, rng.uniform(y0 + 34, y1 - 16), x + (x1 - x0) / 16, y1 - 10), fill=colour)
    else:
        side = min(x1 - x0, y1 - y0) * 0.55
        circle = ((x0 + x1 - side) / 2, (y0 + y1 - side) / 2 + 8, (x0 + x1 + side) / 2, (y0 + y1 + side) / 2 + 8)
        pen.arc(circle, 0, 360, fill="#33506f" if dark else "#dddddd", width=10)
        pen.arc(circle, -90, int(rng.integers(0, 250)), fill=colour, width=10)


@painted("ui", 1.0)
def web_page(style: Style, rng: np.random.Generator) -> Picture:
    """A site with a bar of links, a picture that is a plain box, and columns of text."""
    pen = new_pen(style.size, "white")
    width, height = style.size
    accent = str(rng.choice(["#1a73e8", "#c0392b", "#2c3e50", "#0a7d4b", "#f39c12"]))
    pen.rectangle((0, 0, width, 46), fill=accent)
    for x in range(16, width - 80, 90):
        pen.text((x, 12), text.heading(rng, style.chinese)[:5], "white", text.font(15))
    pen.rectangle((20, 64, width * 0.45, height * 0.5), fill=tuple(int(c) for c in rng.integers(60, 230, 3)))
    y = 64
    while y < height - 24:
        beside = y < height * 0.5 + 10
        left = width * 0.48 if beside else 20
        for line in text.wrapped(text.sentence(rng, style.chinese, 14), int(width - left - 30), text.font(14))[:3]:
            pen.text((left, y), line, "#333333", text.font(14))
            y += 22
        y += 8
    return pen.picture()
