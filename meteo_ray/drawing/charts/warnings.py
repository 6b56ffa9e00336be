"""Maps of warnings in force: coloured districts and signal icons."""

import numpy as np
from matplotlib.patches import FancyBboxPatch, Patch

from meteo_ray.drawing import layers, palettes
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.districts import district_lines, districts, paint_districts
from meteo_ray.drawing.maps import NATION, PROVINCES, Map, finish, ground, open_map
from meteo_ray.drawing.panel import Panel

HAZARDS = (("暴雨", "RAIN"), ("大风", "WIND"), ("高温", "HEAT"), ("雷电", "TSTM"), ("寒潮", "COLD"), ("大雾", "FOG"),
           ("台风", "TC"), ("冰雹", "HAIL"), ("暴雪", "SNOW"), ("霾", "HAZE"))  # fmt: skip
LEVELS_EN = {"蓝色": "Blue", "黄色": "Yellow", "橙色": "Orange", "红色": "Red"}


@chart(("气象灾害预警", "Weather Warnings in Force"), ("预警信号分布", "Watches and warnings"), product="warning_map")
def warning_map(panel: Panel) -> None:
    map_ = open_map(panel, NATION * 2 + PROVINCES + ("usa", "europe"), bar=False, columns=220)
    ground(map_)
    numbers = districts(map_, int(panel.rng.integers(25, 260)))
    _colour_districts(map_, numbers)
    district_lines(map_, numbers, float(panel.rng.uniform(0.2, 0.7)))
    if panel.chance(0.7):
        _signals(map_)
    _level_legend(map_)
    finish(map_)


def _colour_districts(map_: Map, numbers: np.ndarray) -> None:
    """Neighbouring districts tend to share a level, because weather is larger than a district."""
    smooth = map_.atmosphere.rain(0.45, 2.2)
    count = int(numbers.max()) + 1
    inside = numbers >= 0
    mean = np.bincount(numbers[inside], smooth[inside], count) / np.maximum(
        np.bincount(numbers[inside], minlength=count), 1
    )
    level = np.digitize(mean * map_.panel.rng.uniform(1.2, 2.4), [0.12, 0.35, 0.6, 0.85])
    table = np.array(["none", *palettes.WARNING.values()])
    paint_districts(map_, numbers, list(table[level]))


def _signals(map_: Map) -> None:
    """Square warning signs with the hazard's name."""
    panel, rng = map_.panel, map_.panel.rng
    x, y, _, _ = layers.scattered(map_, int(rng.integers(6, 30)), map_.atmosphere.land)
    size = panel.style.font_size * panel.style.dpi / 72 * 1.9
    step = size * (map_.frame.x1 - map_.frame.x0) / (map_.axes.get_position().width * panel.style.size[0])
    for point_x, point_y in zip(x, y, strict=True):
        zh, en = HAZARDS[int(rng.integers(len(HAZARDS)))]
        colour = list(palettes.WARNING.values())[int(rng.choice(4, p=[0.4, 0.35, 0.17, 0.08]))]
        corner = (point_x - step / 2, point_y - step / 2)
        map_.axes.add_patch(
            FancyBboxPatch(
                corner,
                step,
                step,
                boxstyle=f"round,pad=0,rounding_size={step * 0.15}",
                facecolor=colour,
                edgecolor="#303030",
                linewidth=0.7,
                zorder=10,
            )
        )
        map_.axes.text(
            point_x,
            point_y,
            panel.words(zh, en),
            ha="center",
            va="center",
            zorder=11,
            color="black",
            fontsize=panel.style.font_size * (0.62 if panel.style.chinese else 0.5),
            clip_on=True,
        )


def _level_legend(map_: Map) -> None:
    panel = map_.panel
    handles = [
        Patch(facecolor=colour, edgecolor="#404040", label=panel.words(f"{zh}预警", f"{LEVELS_EN[zh]} warning"))
        for zh, colour in palettes.WARNING.items()
    ]
    legend = map_.axes.legend(handles=handles[::-1], loc=str(panel.pick("lower left", "lower right", "upper right")),
                              facecolor="white", labelcolor="black", framealpha=1)  # fmt: skip
    legend.set_zorder(20)
