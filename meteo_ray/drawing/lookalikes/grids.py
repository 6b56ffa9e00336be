"""Fields without weather: matrices, mathematical functions, spectrograms, kernels, in the colours of charts."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable

from meteo_ray.drawing import fields
from meteo_ray.drawing.lookalikes.plots import label, words
from meteo_ray.drawing.lookalikes.registry import plotted
from meteo_ray.drawing.panel import Panel, nice_levels

_KINDS = ("temperature", "height", "signed", "sequential", "wind", "rain", "radar", "wave", "moist", "grey")


def _function(panel: Panel) -> np.ndarray:
    """A surface from a textbook `(80, 100)`, so regular or so symmetric that no weather looks like it."""
    y, x = np.mgrid[-3:3:80j, -3:3:100j]
    a, b = panel.rng.uniform(0.5, 3, 2)
    choice = int(panel.rng.integers(9))
    return (
        np.sin(a * x) * np.cos(b * y),
        3 * (1 - x) ** 2 * np.exp(-(x**2) - (y + 1) ** 2) - 10 * (x / 5 - x**3 - y**5) * np.exp(-(x**2) - y**2),
        np.exp(-(x**2) / a - y**2 / b),
        a * x**2 - b * y**2,
        np.log1p((1 - x) ** 2 + 100 * (y - x**2) ** 2),
        np.sinc(np.hypot(x, y) * a),
        20 + x**2 + y**2 - 10 * (np.cos(2 * np.pi * x / 1.5) + np.cos(2 * np.pi * y / 1.5)),
        a * x + b * y,
        np.exp(-((x - 1) ** 2) - y**2 * a) - np.exp(-((x + 1) ** 2) - y**2 * b),
    )[choice]


@plotted(
    "hard_plot",
    ("函数等值线", "Contours of f(x, y)"),
    ("优化目标", "Objective landscape"),
    ("二维正态分布", "2-D Gaussian"),
    ("电势分布", "Electric potential"),
    weight=2.2,
)
def function_contours(panel: Panel) -> None:
    filled = panel.chance(0.75)
    axes = panel.axes(bar=filled, labels=True)
    axes.grid(False)
    values = _function(panel)
    levels = nice_levels(float(values.min()), float(values.max()), panel.style.levels)
    mesh = _mesh(panel, axes, values, levels) if filled else None
    if not filled or panel.chance(0.4):
        lines = axes.contour(*_xy(values), values, levels, colors="black" if filled else panel.style.coast,
                             linewidths=panel.style.contour_width)  # fmt: skip
        if panel.chance(0.6):
            lines.clabel(levels[::2], fontsize=panel.style.font_size * 0.75)
    if panel.chance(0.2):
        _paths(panel, axes)
    label(panel, axes)
    if mesh is not None:
        panel.colour_bar(axes, mesh, words(panel))


def _xy(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.linspace(-3, 3, values.shape[1]), np.linspace(-3, 3, values.shape[0])


def _mesh(panel: Panel, axes: Axes, values: np.ndarray, levels: np.ndarray) -> ScalarMappable:
    table, norm = panel.colours(str(panel.pick(*_KINDS)), levels)
    if panel.style.fill == "contourf":
        return axes.contourf(*_xy(values), values, levels, cmap=table, norm=norm, extend="both")
    return axes.imshow(values, extent=(-3, 3, -3, 3), origin="lower", aspect="auto", cmap=table, norm=norm,
                       interpolation="bilinear" if panel.style.fill == "smooth" else "nearest")  # fmt: skip


def _paths(panel: Panel, axes: Axes) -> None:
    """Steps of an optimiser: arrows on a field, yet no wind."""
    step = panel.rng.normal(0, 0.3, (12, 2)).cumsum(axis=0) + panel.rng.uniform(-2, 2, 2)
    axes.plot(*step.T, "o-", color="red", markersize=3, linewidth=1)


@plotted("hard_plot", ("相关系数矩阵", "Correlation matrix"), ("混淆矩阵", "Confusion matrix"), ("热力图", "Heat map"),
         ("注意力权重", "Attention"), weight=1.5)  # fmt: skip
def matrix(panel: Panel) -> None:
    axes = panel.axes(bar=True, labels=True)
    axes.grid(False)
    rows, columns = panel.rng.integers(3, 26, 2)
    values = panel.rng.normal(0, 1, (rows, columns)) + 2 * np.eye(rows, columns)
    table, norm = panel.colours(str(panel.pick(*_KINDS)), np.linspace(-2.5, 3.5, 25))
    mesh = axes.imshow(values, cmap=table, norm=norm, aspect="auto")
    if rows * columns < 150 and panel.chance(0.7):
        for r in range(rows):
            for c in range(columns):
                axes.text(c, r, f"{values[r, c]:.1f}", ha="center", va="center", fontsize=panel.style.font_size * 0.75)
    if columns < 10:
        axes.set_xticks(range(columns), [words(panel) for _ in range(columns)], rotation=45)
    label(panel, axes)
    panel.colour_bar(axes, mesh)


@plotted("hard_plot", ("语谱图", "Spectrogram"), ("小波功率谱", "Wavelet power"), ("频谱", "Power spectrum"))
def spectrogram(panel: Panel) -> None:
    axes = panel.axes(bar=True, labels=True)
    axes.grid(False)
    time, frequency = np.linspace(0, 1, 240), np.linspace(0, 1, 90)[:, None]
    power = -3 * frequency + panel.rng.normal(0, 0.35, (90, 240))
    for _ in range(int(panel.rng.integers(2, 9))):
        tone = (
            panel.rng.uniform(0, 0.9)
            + 0.1 * np.sin(time * panel.rng.uniform(2, 40))
            + panel.rng.uniform(-0.4, 0.4) * time
        )
        power += 3 * np.exp(-(((frequency - tone) / 0.02) ** 2)) * (np.sin(time * panel.rng.uniform(5, 30)) > -0.3)
    table, norm = panel.colours(str(panel.pick(*_KINDS)), np.linspace(-4, 3, 24))
    mesh = axes.pcolormesh(time * 10, frequency[:, 0] * 8000, power, cmap=table, norm=norm, shading="nearest")
    axes.set(xlabel=panel.words("时间 (s)", "Time [s]"), ylabel=panel.words("频率 (Hz)", "Frequency [Hz]"))
    panel.title(axes, second="")
    panel.colour_bar(axes, mesh, "dB")


@plotted("hard_plot", ("矢量场", "Vector field"), ("相平面", "Phase portrait"), ("电场线", "Field lines"))
def vector_field(panel: Panel) -> None:
    """Arrows or streamlines of a textbook field, which are not wind."""
    axes = panel.axes(labels=True)
    n = int(panel.rng.integers(10, 24))
    y, x = np.mgrid[-2 : 2 : n * 1j, -2 : 2 : n * 1j]
    u, v = (
        (-y, x),
        (y, -np.sin(x)),
        (x, -y),
        (x / (x**2 + y**2 + 0.1), y / (x**2 + y**2 + 0.1)),
        (y, (1 - x**2) * y - x),
    )[int(panel.rng.integers(5))]
    if panel.chance(0.25):
        axes.streamplot(x[0], y[:, 0], u, v, density=0.6, color=panel.style.coast, linewidth=0.8)
    else:
        axes.quiver(x, y, u, v, np.hypot(u, v) if panel.chance(0.5) else np.ones_like(u), cmap="viridis")
    label(panel, axes)


@plotted(
    "hard_plot", ("密度图", "Density of points"), ("核密度估计", "Kernel density"), ("细胞图像分割", "Segmentation")
)
def blobs(panel: Panel) -> None:
    """Clusters or grains seen from above: coloured like a field, with ticks in pixels."""
    axes = panel.axes(bar=True, labels=True, aspect=float(panel.rng.uniform(0.9, 1.5)))
    axes.grid(False)
    y, x = np.mgrid[0:120, 0:160]
    total = np.zeros((120, 160))
    regular = panel.chance(0.4)
    for number in range(int(panel.rng.integers(3, 24))):
        centre = ((number // 5) * 28 + 15, (number % 5) * 32 + 16) if regular else panel.rng.uniform(0, (120, 160))
        total += np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / panel.rng.uniform(20, 300))
    if panel.chance(0.4):
        total = np.floor(total * 3)
    total += panel.rng.normal(0, float(panel.pick(0, 0, 0.05)), total.shape)
    mesh = _mesh(panel, axes, total, nice_levels(0, float(total.max()), panel.style.levels))
    panel.title(axes, second="")
    panel.colour_bar(axes, mesh)


@plotted("hard_plot", ("随机纹理", "Random texture"), ("材料显微组织", "Phase-field microstructure"), weight=0.7)
def texture_field(panel: Panel) -> None:
    """Two-phase or striped textures with a colour bar: random fields whose statistics no weather has."""
    axes = panel.axes(bar=True, labels=True, aspect=1)
    axes.grid(False)
    y, x = np.mgrid[0:160, 0:160]
    noise = fields.smooth_noise(panel.rng, (160, 160), 14, 4)
    stripes = np.sin(0.35 * (x * np.cos(0.7) + y * np.sin(0.7)) + 2.5 * noise)
    values = np.tanh(6 * noise) if panel.chance(0.5) else stripes
    mesh = _mesh(panel, axes, values, np.linspace(-1, 1, 11))
    panel.title(axes, second="")
    panel.colour_bar(axes, mesh)
