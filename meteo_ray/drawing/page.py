"""From a drawing function to a finished page: figure, panels, footer, logo, the frame around it."""

from collections.abc import Callable, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from meteo_ray.drawing.lettering import Picture
from meteo_ray.drawing.listening import ListeningCanvas
from meteo_ray.drawing.panel import Panel, Rect
from meteo_ray.drawing.pen import Pen
from meteo_ray.drawing.story import Story
from meteo_ray.drawing.style import Style, font_files

Draw = Callable[[Panel], None]


def draw_page(
    draw: Draw,
    names: Sequence[tuple[str, str]],
    style: Style,
    story: Story,
    rng: np.random.Generator,
    logos: Sequence[Picture] = (),
) -> tuple[Picture, set[str]]:
    """Draw one page of `len(names)` panels with `draw` and return it with the further elements that it shows."""
    font_files()
    with matplotlib.rc_context(style.rc()):
        figure = Figure((style.size[0] / style.dpi, style.size[1] / style.dpi), dpi=style.dpi)
        canvas = ListeningCanvas(figure)
        shown: set[str] = set()
        for rect, name in zip(_grid(len(names), style), names, strict=True):
            panel = Panel(figure, rect, style, rng, story, name)
            draw(panel)
            shown |= panel.shown
        if style.footer:
            _footer(figure, style, story, rng)
        canvas.draw()
        picture = Picture(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]), canvas.words())
    if style.logo and len(logos):
        picture = _with_logo(picture, logos[int(rng.integers(len(logos)))], rng)
    return picture, shown


def _grid(count: int, style: Style) -> list[Rect]:
    """Rectangles of equal panels, wider pages having more columns."""
    if count == 1:
        return [(0.0, 0.03 if style.footer else 0.0, 1.0, 0.97 if style.footer else 1.0)]
    wide = style.size[0] > style.size[1]
    columns = {2: 2 if wide else 1, 3: 3 if wide else 1, 4: 2, 6: 3 if wide else 2, 9: 3}[count]
    rows = -(-count // columns)
    return [(c / columns, 1 - (r + 1) / rows, 1 / columns, 1 / rows) for r in range(rows) for c in range(columns)][
        :count
    ]


def _footer(figure: Figure, style: Style, story: Story, rng: np.random.Generator) -> None:
    office = story.office(style.chinese)
    if style.chinese:
        text = str(
            rng.choice(
                [f"{office} 制作", f"制作单位：{office}    {story.issued:%Y年%m月%d日}", f"{office}  审图号：示例"]
            )
        )
    else:
        text = str(
            rng.choice([f"Produced by {office}", f"(c) {story.issued:%Y} {office}", f"{office} | {story.model}"])
        )
    place, align = ((0.99, "right"), (0.01, "left"), (0.5, "center"))[int(rng.integers(3))]
    figure.text(place, 0.008, text, ha=align, va="bottom", fontsize=style.font_size * 0.8)


def _with_logo(picture: Picture, logo: Picture, rng: np.random.Generator) -> Picture:
    pen, (width, height) = Pen(picture.image, picture.words), picture.image.size
    side = max(24, round(min(width, height) * rng.uniform(0.07, 0.13)))
    small = logo.resized((round(side * logo.image.width / logo.image.height), side))
    right, low = bool(rng.random() < 0.5), bool(rng.random() < 0.3)
    x = width - small.image.width - 6 if right else 6
    y = height - small.image.height - 6 if low else 6
    pen.paste(small, x, y, small.image)
    return pen.picture()
