"""Flow diagrams, architecture sketches, networks, trees, drawn line figures."""

from itertools import pairwise

import numpy as np

from meteo_ray.drawing import text
from meteo_ray.drawing.lettering import Picture
from meteo_ray.drawing.lookalikes.registry import painted, plotted
from meteo_ray.drawing.panel import Panel
from meteo_ray.drawing.pen import Pen, new_pen
from meteo_ray.drawing.style import Style

_FILLS = ("#dae8fc", "#d5e8d4", "#ffe6cc", "#f8cecc", "#e1d5e7", "#fff2cc", "#ffffff", "#4a90d9", "#f5a623")


@painted("hard_diagram", 1.8)
def flow_diagram(style: Style, rng: np.random.Generator) -> Picture:
    """Boxes on a grid joined by arrows."""
    pen = new_pen(style.size, style.background)
    columns, rows = int(rng.integers(1, 5)), int(rng.integers(2, 6))
    cell = np.array(style.size) / (columns, rows)
    half = cell * rng.uniform(0.28, 0.4, 2)
    size = max(9, min(round(half[1] * 0.7), round(half[0] / 3.2), 22))
    centres = [(cell * (c + 0.5, r + 0.5)) for r in range(rows) for c in range(columns) if rng.random() < 0.88]
    for start, end in pairwise(centres):
        _arrow(pen, start, end, half, style.ink)
    for centre in centres:
        box = (*(centre - half), *(centre + half))
        fill = str(rng.choice(_FILLS))
        shape = int(rng.integers(4))
        if shape == 0:
            pen.ellipse(box, fill=fill, outline=style.ink)
        elif shape == 1 and half[1] > 14:
            x, y = centre
            pen.polygon(
                [(x - half[0], y), (x, y - half[1]), (x + half[0], y), (x, y + half[1])], fill=fill, outline=style.ink
            )
        else:
            pen.rounded_rectangle(box, 6 if shape == 2 else 0, fill=fill, outline=style.ink)
        word = text.heading(rng, style.chinese)[: max(2, int(2 * half[0] / size / (1 if style.chinese else 0.6)))]
        pen.text(tuple(centre), word, "black", text.font(size), anchor="mm")
    return pen.picture()


def _arrow(pen: Pen, start: np.ndarray, end: np.ndarray, half: np.ndarray, ink: str) -> None:
    direction = (end - start) / max(float(np.hypot(*(end - start))), 1)
    tip = end - direction * np.abs(half @ np.abs(direction)) * 1.0
    pen.line([tuple(start), tuple(tip)], fill=ink, width=2)
    normal = np.array([-direction[1], direction[0]])
    pen.polygon(
        [tuple(tip), tuple(tip - 10 * direction + 5 * normal), tuple(tip - 10 * direction - 5 * normal)], fill=ink
    )


@plotted(
    "hard_diagram", ("网络关系图", "Network graph"), ("神经网络结构", "Neural network"), ("决策树", "Tree"), weight=1.6
)
def network(panel: Panel) -> None:
    axes = panel.axes(labels=False)
    axes.set_axis_off()
    layered = panel.chance(0.5)
    if layered:
        sizes = panel.rng.integers(2, 9, int(panel.rng.integers(3, 6)))
        points = [np.column_stack([np.full(n, i), np.arange(n) - n / 2]) for i, n in enumerate(sizes)]
        for left, right in pairwise(points):
            for a in left:
                for b in right:
                    axes.plot(*np.array([a, b]).T, color="#999999", linewidth=0.5)
        places = np.concatenate(points)
    else:
        places = panel.rng.normal(0, 1, (int(panel.rng.integers(10, 70)), 2))
        for _ in range(2 * len(places)):
            a, b = panel.rng.integers(0, len(places), 2)
            axes.plot(*places[[a, b]].T, color="#aaaaaa", linewidth=0.7, zorder=1)
    colours = panel.rng.choice(["#4a90d9", "#e06666", "#6aa84f", "#f6b26b", "#8e7cc3"], len(places))
    axes.scatter(
        places[:, 0], places[:, 1], s=panel.rng.uniform(60, 350), c=colours, edgecolors=panel.style.ink, zorder=3
    )
    panel.title(axes, second="")


@painted("hard_diagram", 0.8)
def architecture(style: Style, rng: np.random.Generator) -> Picture:
    """Nested, labelled areas with icons, as cloud architecture is drawn."""
    pen = new_pen(style.size, "white")
    width, height = style.size
    for number in range(int(rng.integers(2, 5))):
        inset = 12 + 26 * number
        pen.rounded_rectangle((inset, inset, width - inset, height - inset), 10, outline="#7a9cc6", width=2,
                              fill=("#f7fbff", "#eef6fc", "#fff8ee", "#f3f9f0")[number % 4])  # fmt: skip
        pen.text((inset + 8, inset + 3), text.heading(rng, style.chinese)[:8], "#555555", text.font(13))
    columns = int(rng.integers(3, 7))
    for row in range(int(rng.integers(1, 4))):
        for column in range(columns):
            x = width * (0.2 + 0.62 * column / max(columns - 1, 1))
            y = height * (0.32 + 0.2 * row)
            side = min(width, height) * 0.045
            pen.rounded_rectangle(
                (x - side, y - side, x + side, y + side),
                5,
                fill=str(rng.choice(["#ed7100", "#8c4fff", "#3f8624", "#c925d1"])),
            )
            pen.ellipse((x - side / 2, y - side / 2, x + side / 2, y + side / 2), outline="white", width=2)
            pen.text((x, y + side + 9), text.heading(rng, style.chinese)[:6], "black", text.font(11), anchor="mm")
            if column:
                pen.line((x - width * 0.62 / max(columns - 1, 1) + side, y, x - side, y), fill="#444444", width=1)
    return pen.picture()


@plotted("hard_diagram", ("甘特图", "Gantt chart"), ("项目进度", "Schedule"), weight=0.5)
def gantt(panel: Panel) -> None:
    axes = panel.axes(labels=True)
    start = 0.0
    for row in range(int(panel.rng.integers(5, 15))):
        length = panel.rng.uniform(1, 6)
        axes.barh(row, length, left=start, color=str(panel.pick("#4a90d9", "#6aa84f", "#f6b26b", "#e06666")))
        start += length * panel.rng.uniform(0.2, 0.9)
    axes.invert_yaxis()
    panel.title(axes, second="")


@plotted("hard_diagram", ("示意图", "Schematic"), ("几何图形", "Geometry"), weight=0.8)
def schematic(panel: Panel) -> None:
    """Curves, axes and arrows drawn to explain something; no numbers, no data."""
    axes = panel.axes(labels=False)
    axes.set(xticks=[], yticks=[], xlim=(0, 10), ylim=(0, 6))
    if panel.chance(0.6):
        axes.set_axis_off()
    x = np.linspace(0.5, 9.5, 120)
    for level in range(int(panel.rng.integers(1, 6))):
        axes.plot(
            x,
            1 + level * 0.8 + panel.rng.uniform(0, 1.5) * np.exp(-(((x - panel.rng.uniform(2, 8)) / 1.5) ** 2)),
            color=panel.style.ink,
            linewidth=1.2,
        )
    for _ in range(int(panel.rng.integers(1, 6))):
        tail, head = panel.rng.uniform((0.5, 0.5), (9, 5.5), (2, 2))
        axes.annotate(
            text.heading(panel.rng, panel.style.chinese)[:8],
            head,
            tail,
            arrowprops={"arrowstyle": "->", "color": "#b02020"},
        )
    axes.grid(False)
    panel.title(axes, second="")
