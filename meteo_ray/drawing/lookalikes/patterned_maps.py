"""Maps under something that is no weather: relief and sea floor, a checkerboard, a clipped picture, large areas."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from meteo_ray.drawing import fields, outlines, palettes
from meteo_ray.drawing.districts import district_lines, districts, paint_districts
from meteo_ray.drawing.lookalikes.bare_maps import WORLDS, complete, cut, open_world, plain_ground, simple_page
from meteo_ray.drawing.lookalikes.marked_maps import PENS, circle
from meteo_ray.drawing.lookalikes.registry import plotted
from meteo_ray.drawing.maps import ABROAD, ANYWHERE, NATION, Map, finish, ground, lines_over, open_map
from meteo_ray.drawing.panel import Panel, nice_levels

_SEAS = (("#c6e2f5", "#2f6da8"), ("#b8d4ea", "#6f9fc4"), ("#dceef8", "#7fb2d8"), ("#9ab8d0", "#1c3d66"))
# Land from the equator to the pole: rain forest, desert, farmland, forest, ice.
_BELTS = (
    ("#7aa36a", "#e0cfa0", "#b8c890", "#8fa97a", "#f4f4f0"),
    ("#c8d8b0", "#f0e4c4", "#e0e4c0", "#d0dcc0", "#ffffff"),
    ("#f8f8f4", "#f8f8f4", "#f4f4f0", "#f4f4f0", "#ffffff"),
    ("#e8d8b0", "#d8b888", "#c8b080", "#b89870", "#f0ece4"),
)


@plotted("hard_map", ("海底地形", "Bathymetry"), ("地形晕渲", "Shaded relief"), ("自然地理", "Natural Earth"), ("", ""),
         weight=0.6)  # fmt: skip
def shaded_relief(panel: Panel) -> None:
    """Land in the muted colours of its belts, the sea by depth, both shaded from one side."""
    panel = simple_page(panel)
    if panel.chance(0.6):
        map_, rim = open_world(panel, panel.pick(*WORLDS, "orthographic"), columns=320)
    else:
        map_, rim = open_map(panel, ANYWHERE, bar=False, columns=260), None
    map_.axes.imshow(_relief_colours(map_), extent=map_.frame.extent, origin="lower", aspect="auto", zorder=1)
    if panel.chance(0.7):
        complete(map_, panel.pick("black", "#666666", "#888888"))
    if rim is not None:
        cut(map_, rim)


def _relief_colours(map_: Map) -> np.ndarray:
    """Colours `(rows, columns, 4)` of the ground, clear off the Earth."""
    frame, panel = map_.frame, map_.panel
    lat = np.nan_to_num(frame.lat)
    rough = fields.smooth_noise(panel.rng, frame.shape, 24, 1.6)
    depth = fields.smooth_noise(panel.rng, frame.shape, 110, 1.7)
    land = outlines.is_land(frame.lon, frame.lat)
    height = outlines.relief(np.nan_to_num(frame.lon), lat) * (1 + 0.4 * rough) + 150 * rough
    belts = LinearSegmentedColormap.from_list("belts", panel.pick(*_BELTS))
    sea = LinearSegmentedColormap.from_list("sea", panel.pick(*_SEAS))
    colours = np.where(land[..., None], belts(np.abs(lat) / 80 + 0.03 * rough), sea(0.5 + 0.14 * depth))
    slope = np.gradient(height, axis=1) - np.gradient(height, axis=0)
    light = 1 + np.clip(slope / max(float(np.std(slope)), 1e-9), -3, 3) * np.where(land, 0.05, 0.012)
    colours[..., :3] = np.clip(colours[..., :3] * light[..., None], 0, 1)
    colours[..., 3] = np.isfinite(frame.lat)
    return colours


@plotted("hard_map", ("投影变形", "Projection distortion"), ("棋盘格", "Reprojected image"), ("", "Tissot indicatrix"),
         weight=0.3)  # fmt: skip
def warped_pattern(panel: Panel) -> None:
    """Tissot's circles, a checkerboard, rings or waves bent by a projection."""
    panel = simple_page(panel)
    map_, rim = open_world(panel, panel.pick(*WORLDS, "orthographic"), columns=260)
    coast = plain_ground(map_)
    if panel.chance(0.4):
        pen = panel.pick(*PENS)
        for lat in range(-60, 61, 30):
            for lon in range(-150, 180, 60 if panel.style.levels > 12 else 30):
                map_.axes.fill(*circle(map_.frame, lon, lat, 7), color=pen, alpha=0.5, zorder=7)
    else:
        colours = palettes.by_name(panel.pick("jet", "jet", "gray", "viridis", "hsv", "coolwarm"))
        map_.axes.imshow(np.ma.masked_invalid(_pattern(map_)), extent=map_.frame.extent, origin="lower", aspect="auto",
                         cmap=colours, zorder=2, interpolation="nearest")  # fmt: skip
    if panel.chance(0.7):
        complete(map_, coast)
    cut(map_, rim)


def _pattern(map_: Map) -> np.ndarray:
    """A checkerboard, rings around a place or interfering waves, by longitude and latitude."""
    lon, lat = map_.frame.lonlat
    step = float(map_.panel.pick(5, 10, 20))
    rings = np.floor(np.hypot(lon / 2, lat - map_.panel.rng.uniform(-60, 60)) / step)
    board = (np.floor(lon / step) + np.floor(lat / step)) % 2
    waves = np.sin(lon * lat / step / 30) + np.sin(np.hypot(lon, lat) / step * 2)
    return map_.panel.pick(rings, board, waves)


@plotted("hard_map", ("标志", "Logo"), ("裁剪地图", "Clipped map"), weight=0.2)
def clipped_map(panel: Panel) -> None:
    """A map cut out in the shape of a star, a ring of corners or a word, as for a badge."""
    panel = simple_page(panel)
    map_, _ = open_world(panel, panel.pick("latlon", "mercator", "robinson"))
    map_.axes.set_axis_off()
    for patch in map_.axes.patches:
        patch.set_visible(False)
    ground(map_, panel.pick("#efefdb", "#90b070", "white"), panel.pick("#97b6e1", "#4080c0", "#c0d8f0"))
    lines_over(map_, panel.pick("black", "#555555"))
    path = _badge(map_)
    for artist in (*map_.axes.images, *map_.axes.lines):
        artist.set_clip_path(path, map_.axes.transAxes)


def _badge(map_: Map) -> Path:
    """The shape in shares of the axes."""
    if map_.panel.chance(0.4):
        word = TextPath(
            (0, 0), map_.panel.pick("MAP", "EARTH", "Atlas", "GEO", "world"), prop=FontProperties(weight="bold")
        )
        box = word.get_extents()
        return Affine2D().translate(-box.x0, -box.y0).scale(1 / box.width, 1 / box.height).transform_path(word)
    corners = int(map_.panel.rng.integers(4, 9))
    unit = Path.unit_regular_star(corners, 0.45) if map_.panel.chance(0.6) else Path.unit_regular_polygon(corners)
    return Affine2D().scale(0.5 / map_.frame.aspect, 0.5).translate(0.5, 0.5).transform_path(unit)


@plotted("hard_map", ("选举结果", "Election results"), ("大区划分", "Regions"), ("分区平均年龄", "Mean age by region"),
         weight=0.4)  # fmt: skip
def large_areas(panel: Panel) -> None:
    """A few large areas in a few colours, on white paper, some with a letter."""
    map_ = open_map(simple_page(panel), (*ABROAD, *NATION, "north_china", "yangtze"), bar=False, columns=220)
    numbers = districts(map_, int(panel.rng.integers(5, 26)), china_only=False)
    count = int(numbers.max()) + 1
    table = palettes.by_name(panel.pick("RdYlGn", "coolwarm", "Set2", "Blues", "YlOrRd", "RdBu", "Greens"))
    values = np.floor(panel.rng.beta(0.7, 0.7, count) * 6) / 6
    shades = [to_hex(table(value)) for value in values]
    shades[int(panel.rng.integers(count))] = "white"
    paint_districts(map_, numbers, shades)
    district_lines(map_, numbers, float(panel.rng.uniform(0.6, 2)), panel.pick("black", "#444444", "white"))
    if panel.chance(0.5):
        for number in range(count):
            rows, columns = np.nonzero(numbers == number)
            if len(rows) > 200:
                x, y = map_.frame.x[int(columns.mean())], map_.frame.y[int(rows.mean())]
                map_.axes.text(x, y, panel.pick("X", "A", "B", f"{number}"), ha="center", color="black", zorder=8)
    finish(map_)


@plotted("hard_map", ("土壤砂粒含量", "Layer 1 SANDFRAC[1]"), ("作物收获面积", "Layer 1 HARV_AREA[6]"),
         ("地形高度", "Layer 1 HGT_M[1]"), ("植被覆盖率", "Layer 1 VEGFRAC[3]"), weight=0.5)  # fmt: skip
def land_property(panel: Panel) -> None:
    """What the ground is like in every box of a model: rough, broken off at the coast, nothing over the sea."""
    map_ = open_map(panel, ANYWHERE, columns=int(panel.rng.integers(90, 200)))
    map_.axes.set_facecolor(panel.pick("#d9d9d9", "#e0e0e0", "white", "#cccccc"))
    noise = (
        fields.smooth_noise(panel.rng, map_.frame.shape, float(panel.pick(14, 40)), 1.2)
        + map_.atmosphere.terrain / 1500
    )
    values = np.ma.masked_where(~map_.atmosphere.land | (noise < panel.rng.uniform(-1.5, 0.7)), np.exp(noise * 0.7))
    levels = nice_levels(0, float(np.quantile(np.ma.filled(values, 0), 0.99)) or 1.0, panel.style.levels)
    table, norm = panel.colours(panel.pick("height", "temperature", "sequential", "radar"), levels)
    mesh = map_.axes.imshow(values, extent=map_.frame.extent, origin="lower", aspect="auto", cmap=table, norm=norm,
                            zorder=2, interpolation="nearest")  # fmt: skip
    finish(map_, mesh)
