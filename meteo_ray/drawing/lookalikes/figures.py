"""Plots as they come from spreadsheets, monitoring pages, slides and image processing."""

import numpy as np
from matplotlib.colors import to_hex
from PIL import Image
from scipy import ndimage

from meteo_ray.drawing import fields, text
from meteo_ray.drawing.lettering import Picture
from meteo_ray.drawing.lookalikes.plots import colours, label, words
from meteo_ray.drawing.lookalikes.registry import painted, plotted
from meteo_ray.drawing.panel import Panel
from meteo_ray.drawing.pen import Pen, new_pen
from meteo_ray.drawing.style import Style


@plotted("hard_plot", ("分形维数", "Fractal dimension"), ("月度统计", "Monthly figures"), ("", "Chart 1"), weight=0.6)
def spreadsheet_chart(panel: Panel) -> None:
    """Lines or columns on a grey ground with black lines across, as spreadsheets once drew them."""
    axes = panel.axes(labels=True)
    axes.set_facecolor("#c0c0c0")
    axes.grid(True, axis="y", color="black", linewidth=0.7)
    axes.set_axisbelow(True)
    pens = ("#000080", "#ff00ff", "#ffff00", "#00ffff", "#800080", "#800000", "#008080", "#0000ff")
    count, points, columns = int(panel.rng.integers(1, 7)), int(panel.rng.integers(5, 20)), panel.chance(0.5)
    for number in range(count):
        values = np.cumsum(panel.rng.gamma(1, 1, points)) ** panel.rng.uniform(0.3, 1)
        if columns:
            axes.bar(np.arange(points) + 0.8 * number / count, values, 0.8 / count, color=pens[number],
                     edgecolor="black", linewidth=0.5, label=words(panel))  # fmt: skip
        else:
            axes.plot(values, color=pens[number], marker=panel.pick("s", "D", "^"), markersize=4, label=words(panel))
    axes.legend(loc="upper left", edgecolor="black", fancybox=False)
    panel.title(axes, second="")


@plotted("hard_plot", ("累积面积图", "Stacked areas"), ("订正前后对比", "Adjustment"), ("能源结构", "Energy mix"),
         weight=0.5)  # fmt: skip
def filled_areas(panel: Panel) -> None:
    """Areas stacked on each other or wedges filled under lines."""
    axes = panel.axes(labels=True)
    count, x = int(panel.rng.integers(2, 6)), np.linspace(0, 1, int(panel.pick(20, 60)))
    strong = ("red", "blue", "green", "orange", "purple", "cyan")
    pens = list(strong[:count]) if panel.chance(0.5) else [to_hex(colour) for colour in colours(panel, count)]
    if panel.chance(0.5):
        layers = np.abs(np.cumsum(panel.rng.normal(0.02, 0.2, (count, len(x))), axis=1)) + 0.3
        axes.stackplot(x, layers, colors=pens, labels=[words(panel) for _ in range(count)])
    else:
        for number, pen in enumerate(pens):
            axes.fill_between(x, x * (1 - number / count), color=pen, step=panel.pick(None, "mid"), label=words(panel))
    axes.set_xlim(0, 1)
    label(panel, axes, legend=True)


@plotted("hard_plot", ("频数直方图", "Frequency histogram"), ("帕累托图", "Pareto chart"), weight=0.5)
def double_axis_histogram(panel: Panel) -> None:
    """Bars that fall away from the left, with a second axis of percents at the right."""
    axes = panel.axes(labels=True, bar=True)
    count = int(panel.rng.integers(8, 25))
    values = np.sort(panel.rng.gamma(0.8, 20, count))[::-1]
    values[: int(panel.rng.integers(0, 3))] *= 0.4
    pens = np.array(["#9090b0", "#0000c0", "#202080", "#00a000", "#d00000"])
    axes.bar(np.arange(count), values, 0.9, color=np.repeat(pens, -(-count // 5))[:count])
    axes.set_xticks(np.arange(count)[::2], [str(1000 * n) for n in range(0, count, 2)], rotation=90)
    axes.set_ylabel(words(panel))
    second = axes.twinx()
    if panel.chance(0.6):
        second.plot(np.cumsum(values) / values.sum() * 100, "o-", color="#c04000", markersize=3)
    second.set(ylim=(0, 105), ylabel=panel.words("累积百分比", "Percent"))
    panel.title(axes, second="")


@plotted("hard_plot", ("小提琴图", "Violin plot"), ("分布对比", "Distributions compared"), weight=0.4)
def violins(panel: Panel) -> None:
    """A few broad violins with their medians."""
    axes = panel.axes(labels=True)
    count = int(panel.rng.integers(1, 5))
    middles, spreads = panel.rng.uniform(-4, 4, (count, 2, 1)), panel.rng.uniform(0.5, 2, (count, 2, 1))
    data = list(panel.rng.normal(middles, spreads, (count, 2, 60)).reshape(count, -1))  # each of two heaps
    parts = axes.violinplot(data, showmedians=True, showmeans=panel.chance(0.5), widths=0.8)
    bodies = parts["bodies"]
    for body, pen in zip(bodies if isinstance(bodies, list) else [bodies], colours(panel, count), strict=True):
        body.set(facecolor=pen, alpha=0.5)
    axes.set_xticks(range(1, count + 1), [words(panel) for _ in range(count)])
    panel.title(axes, second="")


@painted("hard_plot", 0.5)
def load_graph(style: Style, rng: np.random.Generator) -> Picture:
    """The load of a machine over the last hours as monitoring pages draw it: grey ground, dotted grid, table below."""
    pen, (width, height) = new_pen(style.size, "#f3f3f3"), style.size
    rows = int(rng.integers(1, 5))
    size = max(9, round(min(height / 20, width / 34)))
    left, top, right, bottom = 4 * size, 2.2 * size, width - 1.5 * size, height - (rows + 2.2) * 1.3 * size
    pen.rectangle((left, top, right, bottom), fill="white", outline="#808080")
    count = int(right - left)
    noise = np.convolve(rng.gamma(0.7, 1, count + 20), np.ones(int(rng.integers(2, 15))), "same")[:count]
    level = np.clip(noise / noise.max() * rng.uniform(0.4, 1.2) + 0.1, 0, 1) * 0.9
    for number, colour in enumerate(("#b8b8b8", str(rng.choice(["#00cf00", "#2020e0", "#ea8f00", "#e0e040"])))):
        share = np.maximum(level - 0.15 * number * rng.random(count), 0)
        for column in range(count):
            pen.line((left + column, bottom, left + column, bottom - share[column] * (bottom - top)), fill=colour)
    for step in range(1, 6):
        y, x = top + (bottom - top) * step / 6, left + (right - left) * step / 6
        pen.line((left, y, right, y), fill="#e09090")
        pen.line((x, top, x, bottom), fill="#e09090")
        pen.text((left - 4, y), f"{(6 - step) * 20}", "black", text.font(size, 2), anchor="rm")
        pen.text((x, bottom + size), f"{step + 8}:00", "black", text.font(size, 2), anchor="mm")
    pen.line((left, top + 12, right, top + 12), fill="#e00000", width=2)
    pen.text((width / 2, size), text.heading(rng, style.chinese), "black", text.font(size + 2), anchor="mm")
    for row in range(rows):
        y, low = bottom + (row + 2) * 1.3 * size, rng.uniform(0, 20)
        pen.rectangle((left, y, left + size, y + size), fill=("#00cf00", "#2020e0", "#e00000", "#b8b8b8")[row])
        pen.text((left + 1.6 * size, y), f"Now: {low + 30:5.1f}  Min: {low:5.1f}  Avg: {low + 20:5.1f}", "black",
                 text.font(size, 2))  # fmt: skip
    return pen.picture()


@painted("hard_plot", 0.4)
def slide_bars(style: Style, rng: np.random.Generator) -> Picture:
    """Solid bars on a dark gradient under a yellow slanted heading: a slide of the nineties."""
    width, height = style.size
    ramp = np.linspace(rng.uniform(0.2, 1), rng.uniform(0.2, 1), height)[:, None, None]
    base = np.array([(0, 0, 110), (10, 10, 60), (60, 0, 80), (0, 60, 70)][int(rng.integers(4))])
    pen = Pen(Image.fromarray(np.broadcast_to(ramp * base, (height, width, 3)).astype(np.uint8)))
    face = text.font(max(12, height // 14), 1)
    pen.text((width / 2, height * 0.09), text.heading(rng, style.chinese), "#ffff00", face, anchor="mm")
    floor, groups = height * 0.85, int(rng.integers(2, 6))
    for step in range(6):
        y = floor - step * height * 0.12
        pen.line((width * 0.12, y, width * 0.95, y), fill="#8080a0")
        pen.text((width * 0.11, y), f"{step * 100}", "white", text.font(max(9, height // 30)), anchor="rm")
    pens = [("#e08020", "#a05010", "#f0b060"), ("#d04020", "#802010", "#f08060"), ("#40a0d0", "#206080", "#90d0f0")]
    side, series = width * 0.83 / groups, int(rng.integers(1, 4))
    for number in range(groups * series):
        x = width * 0.13 + number // series * side + number % series * side * 0.8 / series
        _solid_bar(pen, x, floor, side * 0.55 / series, height * rng.uniform(0.1, 0.55), pens[number % series])
    return pen.picture()


def _solid_bar(pen: Pen, x: float, floor: float, wide: float, high: float, shades: tuple[str, str, str]) -> None:
    """One bar with its front, side and top."""
    deep, top = 0.35 * wide, floor - high
    pen.rectangle((x, top, x + wide, floor), fill=shades[0], outline="black")
    pen.polygon([(x + wide, floor), (x + wide + deep, floor - deep), (x + wide + deep, top - deep), (x + wide, top)],
                fill=shades[1], outline="black")  # fmt: skip
    pen.polygon([(x, top), (x + deep, top - deep), (x + wide + deep, top - deep), (x + wide, top)], fill=shades[2],
                outline="black")  # fmt: skip


@plotted("hard_plot", ("散点着色", "Scatter by time"), ("密度散点", "Heat map of samples"), ("", ""), weight=0.6)
def rainbow_scatter(panel: Panel) -> None:
    """One quantity against another along a path, coloured by a third or counted in boxes, or both side by side."""
    left, bottom, width, height = panel.room(True, True)
    turns = panel.rng.uniform(0.2, 1.8, (2, 1)) * np.linspace(0, 12, 400) + panel.rng.uniform(0, 6, (2, 1))
    x, y = np.cumsum(panel.rng.normal(0, 1, (2, 400)) + 2 * np.sin(turns), axis=1)
    manners = panel.pick(("dots",), ("dots",), ("boxes",), ("boxes", "dots"))
    table = panel.pick("viridis", "jet", "rainbow", "plasma", "hsv")
    for number, manner in enumerate(manners):
        rect = (left + number * width * 0.52, bottom, width / len(manners) * (1 if len(manners) == 1 else 0.85), height)
        axes = panel.figure.add_axes(rect)
        if manner == "boxes":
            axes.hist2d(x, y, bins=int(panel.pick(15, 25, 40)), cmin=1, cmap=table)
        else:
            dots = axes.scatter(x, y, c=np.arange(400), cmap=table, s=float(panel.pick(8, 20, 50)))
            if panel.chance(0.6):
                panel.figure.colorbar(dots, ax=axes)
        label(panel, axes)


@plotted("hard_plot", ("图像滤波", "Filtered image"), ("轮廓检测", "Found contours"), ("边缘检测", "Edges"),
         ("纹理分析", "Texture"), weight=0.8)  # fmt: skip
def image_processing(panel: Panel) -> None:
    """A grey picture of grains and its filtered kin side by side, or one with contours and a colour bar."""
    picture = _grains(panel)
    kin = (
        picture,
        ndimage.gaussian_filter(picture, 4),
        ndimage.gaussian_gradient_magnitude(picture, 1.5),
        (picture > np.median(picture)).astype(float),
        ndimage.laplace(ndimage.gaussian_filter(picture, 2)),
        ndimage.label(picture > np.quantile(picture, 0.7))[0],
    )
    count = int(panel.pick(1, 1, 2, 3, 4))
    left, bottom, width, height = panel.room(True, True)
    for number, which in enumerate(panel.rng.permutation(len(kin))[:count]):
        axes = panel.figure.add_axes((left + number * width / count, bottom, width / count * 0.88, height))
        table = panel.pick("gray", "gray", "gray", "viridis", "jet", "nipy_spectral")
        shown = axes.imshow(kin[which], cmap=table, interpolation="nearest")
        axes.set_title(words(panel))
        if panel.chance(0.4):
            axes.contour(ndimage.gaussian_filter(picture, 3), 1, colors=panel.pick("red", "yellow"), linewidths=1)
        if count == 1 and panel.chance(0.6):
            panel.figure.colorbar(shown, ax=axes, fraction=0.04)
        elif panel.chance(0.5):
            axes.set_axis_off()


def _grains(panel: Panel) -> np.ndarray:
    """A grey picture `(120, 160)` of round grains, in rows or strewn, on an uneven ground."""
    y, x = np.mgrid[0:120, 0:160]
    noise = fields.smooth_noise(panel.rng, (120, 160), 3, 1.2)
    picture = 0.35 + 0.05 * noise + 0.001 * x
    rowed, radius = panel.chance(0.5), float(panel.rng.uniform(6, 14))
    for number in range(int(panel.rng.integers(1, 26))):
        place = (number // 5 * 24 + 14, number % 5 * 30 + 20) if rowed else panel.rng.uniform(0, (120, 160))
        distance = np.hypot(y - place[0], x - place[1])
        picture = np.where(distance < radius, 0.75 - 0.02 * distance + 0.09 * noise, picture)
    return picture


@plotted("hard_plot", ("极坐标填色", "Polar fill"), ("同心环", "Concentric rings"), ("", ""), weight=0.4)
def polar_disc(panel: Panel) -> None:
    """A disc of rings, sectors or petals in full colours."""
    axes = panel.axes(labels=panel.chance(0.5), polar=True)
    axes.grid(False)
    angle, radius = np.linspace(0, 2 * np.pi, int(panel.pick(16, 40, 120))), np.linspace(0, 1, int(panel.pick(8, 30)))
    petals = int(panel.rng.integers(2, 7))
    values = panel.pick(
        np.broadcast_to(radius[:, None], (len(radius), len(angle))),
        radius[:, None] * np.cos(petals * angle),
        np.floor(radius[:, None] * 6) + np.floor(angle * petals / np.pi) % 2,
    )
    axes.pcolormesh(
        angle, radius, values, cmap=panel.pick("jet", "viridis", "hsv", "RdBu_r", "rainbow"), shading="auto"
    )
    if panel.chance(0.5):
        axes.set_axis_off()
    axes.set_title(panel.words(*panel.names), pad=14)
