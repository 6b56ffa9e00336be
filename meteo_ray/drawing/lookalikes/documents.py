"""Pages of text, tables, spreadsheets, calendars, equations."""

import calendar

import numpy as np

from meteo_ray.drawing import text
from meteo_ray.drawing.lettering import Picture
from meteo_ray.drawing.lookalikes.registry import painted, plotted
from meteo_ray.drawing.panel import Panel
from meteo_ray.drawing.pen import Pen, new_pen
from meteo_ray.drawing.style import Style


def _sheet(style: Style, colour: str | None = None) -> Pen:
    return new_pen(style.size, colour or style.background)


def _letter(style: Style) -> int:
    return max(10, round(style.font_size * style.dpi / 72 * 1.15))


@painted("doc", 1.6)
def text_page(style: Style, rng: np.random.Generator) -> Picture:
    pen = _sheet(style)
    size, face = _letter(style), int(rng.integers(3))
    columns = 2 if style.size[0] > 700 and rng.random() < 0.4 else 1
    margin = round(0.06 * style.size[0])
    width = (style.size[0] - (columns + 1) * margin) // columns
    for column in range(columns):
        y = margin
        while y < style.size[1] - margin:
            if rng.random() < 0.18:
                pen.text((margin + column * (width + margin), y), text.heading(rng, style.chinese), style.ink,
                         text.font(round(size * 1.4), face))  # fmt: skip
                y += size * 3
            paragraph = "".join(text.sentence(rng, style.chinese) for _ in range(int(rng.integers(2, 6))))
            for line in text.wrapped(paragraph, width, text.font(size, face)):
                if y < style.size[1] - margin:
                    pen.text((margin + column * (width + margin), y), line, style.ink, text.font(size, face))
                y += round(size * 1.6)
            y += size
    return pen.picture()


@painted("doc", 1.3)
def table_page(style: Style, rng: np.random.Generator) -> Picture:
    """A ruled table of words and numbers, with a coloured head and sometimes coloured cells."""
    pen = _sheet(style)
    size = _letter(style)
    columns, row_height = int(rng.integers(3, 10)), round(size * rng.uniform(1.6, 2.6))
    left, top = rng.uniform(0.02, 0.1, 2) * style.size
    width = (style.size[0] - 2 * left) / columns
    rows = int((style.size[1] - 2 * top) / row_height)
    head = str(rng.choice(["#2f6fb5", "#dddddd", "#4a9a5a", "#f0c040", "#303030"]))
    for r in range(rows):
        for c in range(columns):
            box = (left + c * width, top + r * row_height, left + (c + 1) * width, top + (r + 1) * row_height)
            shade = head if r == 0 else ("#eef3f8" if r % 2 and rng.random() < 0.9 else None)
            if r and rng.random() < 0.05:
                shade = str(rng.choice(["#ffb0b0", "#b0e0b0", "#fff0a0"]))
            pen.rectangle(box, fill=shade, outline="#888888")
            word = (
                text.heading(rng, style.chinese)[: int(width / size)]
                if r == 0 or c == 0
                else f"{rng.normal(20, 30):.{r % 3}f}"
            )
            pen.text((box[0] + 4, box[1] + row_height * 0.15), word, "black" if shade else style.ink, text.font(size))
    return pen.picture()


@painted("ui", 1.0)
def spreadsheet(style: Style, rng: np.random.Generator) -> Picture:
    pen = _sheet(style, "white")
    width, height = style.size
    size = 13
    pen.rectangle((0, 0, width, 26), fill=str(rng.choice(["#217346", "#2b579a", "#d83b01"])))
    pen.rectangle((0, 26, width, 90), fill="#f3f2f1")
    for x in range(10, width - 60, 62):
        pen.text((x, 32), text.heading(rng, style.chinese)[:4], "#333333", text.font(12))
        pen.rectangle((x, 54, x + 22, 80), outline="#bbbbbb", fill=str(rng.choice(["#ffffff", "#dde8f5", "#f5e6d0"])))
    cell = int(rng.integers(60, 110))
    for column, x in enumerate(range(36, width, cell)):
        pen.rectangle((x, 92, x + cell, 112), fill="#e6e6e6", outline="#c0c0c0")
        pen.text((x + cell / 2 - 4, 94), chr(65 + column % 26), "#444444", text.font(size))
    for row, y in enumerate(range(112, height, 20)):
        pen.text((8, y + 1), str(row + 1), "#666666", text.font(12))
        filled = row < (height / 20) * rng.uniform(0.5, 1)
        for column, x in enumerate(range(36, width, cell)):
            pen.rectangle((x, y, x + cell, y + 20), outline="#d8d8d8")
            if filled and column < 6:
                word = text.heading(rng, style.chinese)[:5] if column == 1 else f"{rng.uniform(0, 1000):.1f}"
                pen.text((x + 4, y + 1), word, "black", text.font(size))
    return pen.picture()


@painted("doc", 0.7)
def calendar_page(style: Style, rng: np.random.Generator) -> Picture:
    pen = _sheet(style)
    width, height = style.size
    year, month = int(rng.integers(2015, 2030)), int(rng.integers(1, 13))
    title = f"{year}年{month}月" if style.chinese else f"{calendar.month_name[month]} {year}"
    pen.text(
        (width * 0.35, height * 0.03),
        title,
        str(rng.choice(["#c02020", "#2040a0", style.ink])),
        text.font(max(16, height // 14)),
    )
    names = "日一二三四五六" if style.chinese else ("Su", "Mo", "Tu", "We", "Th", "Fr", "Sa")
    for row, week in enumerate([names, *calendar.Calendar(6).monthdayscalendar(year, month)]):
        for column, day in enumerate(week):
            x, y = width * (0.04 + 0.132 * column), height * (0.17 + 0.135 * row)
            pen.rectangle((x, y, x + width * 0.132, y + height * 0.135), outline="#aaaaaa")
            if day:
                pen.text(
                    (x + 6, y + 4),
                    str(day),
                    "#d02020" if column in (0, 6) else style.ink,
                    text.font(max(12, height // 22)),
                )
    return pen.picture()


@painted("doc", 0.6)
def form(style: Style, rng: np.random.Generator) -> Picture:
    """A certificate or form: frame, lines to fill in, a stamp."""
    pen = _sheet(style, "#fffef8")
    width, height = style.size
    size = _letter(style)
    pen.rectangle(
        (width * 0.03, height * 0.03, width * 0.97, height * 0.97), outline="#b03030", width=int(rng.integers(1, 6))
    )
    pen.text((width * 0.35, height * 0.08), text.heading(rng, style.chinese)[:10], "black", text.font(size * 2))
    for y in (np.arange(0.25, 0.85, 0.09) * height).tolist():
        pen.text((width * 0.08, y), text.heading(rng, style.chinese)[:6], "black", text.font(size))
        pen.line((width * 0.3, y + size * 1.3, width * 0.85, y + size * 1.3), fill="#555555")
    radius = height * 0.1
    pen.ellipse(
        (width * 0.75 - radius, height * 0.75 - radius, width * 0.75 + radius, height * 0.75 + radius),
        outline="#d01010",
        width=4,
    )
    return pen.picture()


@plotted("doc", ("公式", "Equations"), weight=0.7)
def equations(panel: Panel) -> None:
    """Formulas set by mathtext."""
    formulas = (
        r"$\frac{\partial u}{\partial t} + u\frac{\partial u}{\partial x} = \nu\frac{\partial^2 u}{\partial x^2}$",
        r"$\int_0^\infty e^{-x^2}\,dx = \frac{\sqrt{\pi}}{2}$",
        r"$E = mc^2$",
        r"$\sum_{n=1}^{\infty}\frac{1}{n^2}=\frac{\pi^2}{6}$",
        r"$\hat{y} = \sigma(W x + b)$",
        r"$\nabla \cdot \mathbf{E} = \rho / \epsilon_0$",
        r"$f(x)=\frac{1}{\sqrt{2\pi}\sigma}e^{-x^2/2\sigma^2}$",
        r"$RMSE = \sqrt{\frac{1}{n}\sum (y_i-\hat{y}_i)^2}$",
        r"$TS = \frac{a}{a+b+c}$",
    )
    x, y, width, height = panel.rect
    count = int(panel.rng.integers(2, 7))
    for row in range(count):
        panel.figure.text(
            x + width * 0.12,
            y + height * (1 - (row + 0.6) / count),
            str(panel.pick(*formulas)),
            fontsize=panel.style.font_size * panel.rng.uniform(1.3, 2.2),
        )


@painted("easy", 0.8)
def big_words(style: Style, rng: np.random.Generator) -> Picture:
    """A sign, a banner or a wordmark: a few large letters on a plain ground."""
    red, green, blue = (int(c) for c in (rng.integers(0, 256, 3) if rng.random() < 0.6 else (255, 255, 255)))
    pen = new_pen(style.size, (red, green, blue))
    word = text.heading(rng, style.chinese)[: int(rng.integers(2, 9))]
    size = max(14, int(style.size[0] * 0.8 / max(len(word) * (1 if style.chinese else 0.6), 1)))
    size = min(size, style.size[1] // 2)
    ink = "black" if red + green + blue > 380 else "white"
    pen.text((style.size[0] * 0.1, (style.size[1] - size) / 2), word, ink, text.font(size, int(rng.integers(3))))
    if rng.random() < 0.4:
        pen.rectangle((8, 8, style.size[0] - 8, style.size[1] - 8), outline=ink, width=6)
    return pen.picture()
