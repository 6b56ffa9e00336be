"""Statistical plots: lines, bars, pies, scatter, histograms, boxes."""

from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from mpl_toolkits.mplot3d import Axes3D

from meteo_ray.drawing import palettes
from meteo_ray.drawing.lookalikes.registry import plotted
from meteo_ray.drawing.panel import Panel

_WORDS = (
    ("评分", "Score"),
    ("偏差", "Bias"),
    ("样本数", "Samples"),
    ("损失", "Loss"),
    ("数量", "Count"),
    ("耗时(秒)", "Seconds"),
    ("占比(%)", "Share (%)"),
    ("价格", "Price"),
    ("频率", "Frequency"),
    ("预报时效", "Lead time"),
    ("准确率", "Accuracy"),
    ("步数", "Step"),
    ("轮次", "Epoch"),
    ("日期", "Date"),
    ("年份", "Year"),
    ("序号", "Index"),
    ("销量", "Sales"),
)
_SERIES = (
    ("模型A", "model A"),
    ("模型B", "model B"),
    ("基线", "baseline"),
    ("训练", "train"),
    ("验证", "validation"),
    ("ECMWF", "ECMWF"),
    ("GRAPES", "GRAPES"),
    ("华东", "East"),
    ("华北", "North"),
    ("观测", "obs"),
    ("TS", "TS"),
)
_CYCLES = ("tab10", "Set1", "Set2", "Dark2", "Paired", "viridis", "jet", "rainbow", "gray")


def words(panel: Panel, table: tuple[tuple[str, str], ...] = _WORDS) -> str:
    return panel.words(*table[int(panel.rng.integers(len(table)))])


def colours(panel: Panel, count: int) -> np.ndarray:
    """`count` colours for series."""
    table = palettes.by_name(str(panel.pick(*_CYCLES)))
    return table(np.arange(count) % table.N) if table.N <= 20 else table(np.linspace(0.05, 0.9, count))


def label(panel: Panel, axes: Axes, legend: bool = False) -> None:
    """Axis labels, legend and title, each of them sometimes left out."""
    if panel.chance(0.75):
        axes.set_xlabel(words(panel))
        axes.set_ylabel(words(panel))
    if legend and axes.get_legend_handles_labels()[0] and panel.chance(0.85):
        axes.legend(loc=str(panel.pick("best", "upper right", "upper left", "lower right")))
    if panel.chance(0.25):
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    panel.title(axes, second="" if panel.chance(0.6) else None)


@plotted(
    "hard_plot",
    ("误差随时效变化", "Error by lead time"),
    ("训练曲线", "Training curve"),
    ("指数走势", "Index history"),
    ("TS评分", "Threat score"),
    ("CPU使用率", "CPU load last 4h"),
    ("", ""),
    weight=2.5,
)
def line_plot(panel: Panel) -> None:
    axes = panel.axes(labels=True)
    count, points = int(panel.rng.integers(1, 7)), int(panel.pick(8, 12, 30, 100, 300))
    x = np.arange(points)
    roughness = panel.rng.uniform(0.02, 0.6)
    shape = str(panel.pick("walk", "decay", "wave", "rise", "spikes"))
    for colour in colours(panel, count):
        noise = panel.rng.normal(0, roughness, points)
        base = {
            "walk": np.cumsum(noise),
            "decay": panel.rng.uniform(0.5, 3) * np.exp(-x / points * panel.rng.uniform(1, 6)) + noise * 0.2,
            "wave": np.sin(x / points * panel.rng.uniform(5, 40) + panel.rng.uniform(0, 6)) + noise * 0.5,
            "rise": np.log1p(x * panel.rng.uniform(0.05, 1)) + noise * 0.3,
            "spikes": np.abs(noise) ** 3 * 8,
        }[shape]
        axes.plot(
            x,
            base,
            color=colour,
            linewidth=panel.rng.uniform(0.8, 2.4),
            marker=panel.pick(None, None, "o", "s", "^"),
            markersize=4,
            linestyle=str(panel.pick("-", "-", "--")),
            label=words(panel, _SERIES),
        )
    label(panel, axes, legend=True)


@plotted("hard_plot", ("分省统计", "By province"), ("误差频率", "Error frequency"), ("区分能力图", "Discrimination"),
         ("月销量", "Monthly sales"), ("", ""), weight=1.5)  # fmt: skip
def bar_plot(panel: Panel) -> None:
    axes = panel.axes(labels=True)
    groups, series = int(panel.rng.integers(4, 22)), int(panel.pick(1, 1, 2, 3, 4))
    flat = series == 1 and panel.chance(0.3)
    for number, colour in enumerate(colours(panel, series)):
        values = panel.rng.gamma(2, 1, groups) * panel.rng.uniform(0.5, 2)
        place = np.arange(groups) + number * 0.8 / series
        if flat:
            axes.barh(place, values, 0.75, color=colour)
        else:
            axes.bar(place, values, 0.8 / series, color=colour if panel.chance(0.85) else "none", edgecolor=colour,
                     label=words(panel, _SERIES))  # fmt: skip
    label(panel, axes, legend=series > 1)


@plotted("hard_plot", ("构成", "Composition"), ("人员构成", "Staff"), ("化学组分", "sulfate / nitrate"), weight=0.7)
def pie(panel: Panel) -> None:
    axes = panel.axes(labels=False, aspect=1)
    shares = panel.rng.dirichlet(np.full(int(panel.rng.integers(3, 8)), 2))
    axes.pie(
        shares,
        labels=[words(panel, _SERIES) for _ in shares],
        colors=[to_hex(colour) for colour in colours(panel, len(shares))],
        autopct="%.1f%%" if panel.chance(0.7) else None,
        startangle=panel.rng.uniform(0, 360),
        wedgeprops={"width": 0.45} if panel.chance(0.3) else None,
    )
    panel.title(axes, second="")


@plotted(
    "hard_plot",
    ("散点回归图", "Scatter and fit"),
    ("观测与预报散点", "Observed vs predicted"),
    ("聚类结果", "Clusters"),
    weight=1.3,
)
def scatter(panel: Panel) -> None:
    axes = panel.axes(labels=True, bar=panel.chance(0.3))
    count = int(panel.pick(30, 150, 600))
    for colour in colours(panel, int(panel.pick(1, 1, 3, 5))):
        x = panel.rng.normal(panel.rng.uniform(-2, 2), 1, count)
        y = panel.rng.uniform(-1, 1.3) * x + panel.rng.normal(0, panel.rng.uniform(0.1, 1), count)
        axes.scatter(
            x, y, s=panel.rng.uniform(3, 30), color=colour, alpha=float(panel.pick(1, 0.5)), label=words(panel, _SERIES)
        )
    if panel.chance(0.5):
        axes.plot(axes.get_xlim(), axes.get_xlim(), "--", color="red", linewidth=1)
    label(panel, axes, legend=True)


@plotted(
    "hard_plot",
    ("频率分布", "Histogram"),
    ("样本长度分布", "Distribution of lengths"),
    ("误差分布", "Error distribution"),
)
def histogram(panel: Panel) -> None:
    axes = panel.axes(labels=True)
    for colour in colours(panel, int(panel.pick(1, 1, 2, 3))):
        sample = panel.rng.gamma(panel.rng.uniform(1, 9), 1, 800) if panel.chance(0.5) else panel.rng.normal(0, 1, 800)
        axes.hist(sample, int(panel.rng.integers(8, 60)), color=colour, alpha=0.75, label=words(panel, _SERIES),
                  edgecolor=panel.pick(None, "black", "white"))  # fmt: skip
    label(panel, axes, legend=True)


@plotted(
    "hard_plot",
    ("误差箱线图", "Error box plot"),
    ("频率对比箱须图", "Box-whisker comparison"),
    ("", "Violin"),
    weight=1.2,
)
def box_plot(panel: Panel) -> None:
    axes = panel.axes(labels=True)
    count = int(panel.rng.integers(3, 40))
    data = [panel.rng.normal(panel.rng.normal(0, 1), panel.rng.uniform(0.5, 2), 60) for _ in range(count)]
    if count < 8 and panel.chance(0.4):
        axes.violinplot(data, showmedians=True)
    else:
        axes.boxplot(
            data,
            patch_artist=True,
            boxprops={"facecolor": str(panel.pick("lightblue", "white", "tan", "#a0d0a0"))},
            flierprops={"markersize": 3},
        )
    label(panel, axes)


@plotted("hard_plot", ("多图综合分析", "Diagnostics"), ("", "energies"), weight=0.8)
def small_multiples(panel: Panel) -> None:
    left, bottom, width, height = panel.room(False, True)
    rows, columns = int(panel.pick(2, 2, 3)), int(panel.pick(1, 2, 2, 3))
    gap = 0.07
    for number in range(rows * columns):
        r, c = divmod(number, columns)
        cell = (left + c * (width + gap) / columns, bottom + (rows - 1 - r) * (height + gap) / rows)
        axes = panel.figure.add_axes((*cell, (width + gap) / columns - gap, (height + gap) / rows - gap))
        for colour in colours(panel, 2):
            axes.plot(np.cumsum(panel.rng.normal(0, 1, 60)), color=colour, linewidth=1.2)
        axes.set_title(words(panel), fontsize=panel.style.font_size * 0.9)


@plotted(
    "hard_plot",
    ("ROC曲线", "ROC curve"),
    ("可靠性图", "Reliability diagram"),
    ("综合检验图", "Performance diagram"),
    ("泰勒图", "Taylor diagram"),
)
def verification_curves(panel: Panel) -> None:
    axes = panel.axes(labels=True, aspect=1)
    x = np.linspace(0, 1, 60)
    if panel.chance(0.4):  # performance diagram: curves of equal bias and threat score
        grid_x, grid_y = np.meshgrid(x[1:], x[1:])
        axes.contour(grid_x, grid_y, 1 / (1 / grid_x + 1 / grid_y - 1), 9, colors="#888888", linewidths=0.7)
        axes.contour(
            grid_x, grid_y, grid_y / grid_x, [0.25, 0.5, 1, 2, 4], colors="#888888", linestyles="--", linewidths=0.7
        )
        x, y = panel.rng.uniform(0.2, 0.9, (2, 6))
        axes.scatter(x, y, c=colours(panel, 6), s=50, zorder=5)
    else:
        axes.plot([0, 1], [0, 1], "--", color="#888888")
        for colour in colours(panel, int(panel.rng.integers(1, 5))):
            axes.plot(x, x ** panel.rng.uniform(0.15, 0.9), color=colour, linewidth=1.8, marker=panel.pick(None, "o"),
                      markevery=6, label=words(panel, _SERIES))  # fmt: skip
    label(panel, axes, legend=True)


@plotted("hard_plot", ("雷达图（能力评估）", "Skill radar chart"), ("极坐标图", "Polar plot"), weight=0.6)
def spider(panel: Panel) -> None:
    """A spider or polar rose of skills: the clothes of a wind rose without wind."""
    axes = panel.axes(labels=True, polar=True)
    count = int(panel.rng.integers(4, 10))
    angle = np.linspace(0, 2 * np.pi, count + 1)
    for colour in colours(panel, int(panel.pick(1, 2, 3))):
        value = panel.rng.uniform(0.3, 1, count)
        if panel.chance(0.5):
            axes.plot(angle, np.append(value, value[0]), color=colour, linewidth=1.5)
            axes.fill(angle, np.append(value, value[0]), color=colour, alpha=0.25)
        else:
            axes.plot(
                np.linspace(0, 6.28, 200),
                np.abs(np.cos(panel.rng.integers(2, 6) * np.linspace(0, 6.28, 200))),
                color=colour,
            )
    axes.set_xticks(angle[:-1], [words(panel) for _ in range(count)])
    axes.set_title(panel.words(*panel.names), pad=14)


@plotted("hard_plot", ("", "3-D surface"), ("曲面图", "Loss surface"), weight=0.4)
def surface_3d(panel: Panel) -> None:
    axes = cast(Axes3D, panel.figure.add_axes(panel.room(False, False), projection="3d"))
    y, x = np.mgrid[-3:3:28j, -3:3:28j]
    z = np.sin(x * panel.rng.uniform(0.5, 2)) * np.cos(y * panel.rng.uniform(0.5, 2)) + 0.1 * x * y
    table, _ = panel.colours(str(panel.pick("height", "sequential", "signed")), np.linspace(0, 1, 12))
    axes.plot_surface(x, y, z, cmap=table, linewidth=0.1, antialiased=False)
    axes.set_title(panel.words(*panel.names))
