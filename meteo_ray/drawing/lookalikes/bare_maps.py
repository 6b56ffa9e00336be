"""Maps that show the Earth and none of its weather: windows, whole worlds, globes, projections side by side."""

from dataclasses import replace

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Polygon

from meteo_ray.drawing import layers
from meteo_ray.drawing.frames import EARTH_RADIUS, OVALS, Frame
from meteo_ray.drawing.lookalikes.registry import plotted
from meteo_ray.drawing.maps import ANYWHERE, Map, graticule, ground, lines_over, open_map
from meteo_ray.drawing.panel import Panel, Rect

# Land and sea as plotting tools paint them; 'none' leaves the paper.
_GROUNDS = (("none", "none"),) * 6 + (
    ("#ffdfaf", "none"), ("#fce3b4", "none"), ("#efefdb", "#97b6e1"), ("#efefdb", "none"), ("white", "#aaffff"),
    ("white", "#97b6e1"), ("none", "#6f9ff0"), ("#d2b48c", "#add8e6"), ("#cfcfcf", "white"), ("#f2efe9", "#aad3df"),
    ("#ccaa88", "#77b5e6"), ("#808080", "none"), ("#07070f", "#12303c"), ("#3a3a3a", "#3a3a3a"), ("#90b070", "#b8d8f0"),
)  # fmt: skip
WORLDS = ("robinson", "mollweide", "sinusoidal", "polar", "mercator", "latlon", "latlon", "latlon", "latlon")


def simple_page(panel: Panel) -> Panel:
    """The panel as examples of tools use it: often untitled, filling the page, or small on a large empty one."""
    rng, style = panel.rng, panel.style
    if not style.dark_map and panel.chance(0.5):
        style = replace(style, coast="black")
    if panel.chance(0.5):
        style = replace(style, title="none")
    if panel.chance(0.2):
        return replace(panel, style=replace(style, title="none", ticks="none", margin=0))
    if panel.chance(0.35):
        width, height = rng.uniform(0.42, 0.8, 2)
        left, bottom = rng.uniform(0, 1, 2) * (1 - width, 1 - height)
        return replace(panel, style=style, rect=(float(left), float(bottom), float(width), float(height)))
    return replace(panel, style=style)


def plain_ground(map_: Map) -> str:
    """Paint land and sea in a tool's colours; returns a pen that shows on them."""
    style = map_.panel.style
    land, sea = map_.panel.pick(*_GROUNDS)
    ground(map_, land, sea)
    if land == "none":  # the paper itself lies under the coasts, whatever land the style would have painted
        return "white" if style.dark else "black" if style.coast == "white" else style.coast
    light = sum(to_rgb(land)) > 1.2
    return map_.panel.pick("black", "black", "#555555", "#999999") if light else map_.panel.pick("#bbbbbb", "#40606c")


def complete(map_: Map, coast: str) -> None:
    """Coasts, graticule and perhaps a title, seldom with a time."""
    lines_over(map_, coast)
    graticule(map_)
    map_.panel.title(map_.axes, second="" if map_.panel.chance(0.75) else None)


@plotted("hard_map", ("行政区划图", "Base map"), ("海岸线", "Coastlines"), ("", ""), ("底图", "Basemap test"),
         weight=1.8)  # fmt: skip
def bare_map(panel: Panel) -> None:
    """A window on coasts and borders, or on the rivers alone."""
    panel = simple_page(panel)
    map_ = open_map(panel, ANYWHERE, bar=False)
    coast = plain_ground(map_)
    rivers = panel.chance(0.25)
    if rivers:
        map_.axes.plot(*map_.frame.outline("rivers"), color="#3a70d0", linewidth=0.6, zorder=5)
    if rivers and panel.chance(0.4):
        graticule(map_)
    else:
        complete(map_, coast)
    if panel.chance(0.15):
        layers.places(map_)
    _edges(map_)


def _edges(map_: Map) -> None:
    """Labels on two edges or all four, a frame of black and white bars, or no frame at all."""
    axes, frame = map_.axes, map_.frame
    choice = map_.panel.pick("two", "two", "four", "striped", "open")
    if choice == "four" and map_.panel.style.margin >= 2:
        axes.tick_params(top=True, right=True, labeltop=True, labelright=True)
    elif choice == "striped" and frame.kind in ("latlon", "mercator"):
        _striped_frame(map_)
    elif choice == "open":
        axes.set_axis_off()


def _striped_frame(map_: Map) -> None:
    """Black and white bars in turn around the map, as GMT draws it."""
    axes, frame = map_.axes, map_.frame
    count = 2 * int(map_.panel.rng.integers(3, 9))
    x = np.linspace(frame.x0, frame.x1, count + 1)
    y = np.linspace(frame.y0, frame.y1, max(2 * round(count / frame.aspect / 2), 2) + 1)
    for bars, edges, draw in ((x, (frame.y0, frame.y1), axes.hlines), (y, (frame.x0, frame.x1), axes.vlines)):
        for edge in edges:
            draw(edge, bars[0], bars[-1], colors="black", linewidth=5, clip_on=False, zorder=9)
            draw(
                np.full(len(bars) // 2, edge),
                bars[:-1:2],
                bars[1::2],
                colors="white",
                linewidth=3.4,
                clip_on=False,
                zorder=9.1,
            )


def open_world(panel: Panel, kind: str, rect: Rect | None = None, columns: int = 180) -> tuple[Map, Polygon]:
    """A map of the whole Earth, or of one side of it, and its rim, to which `cut` must trim what was drawn."""
    rng = panel.rng
    lon = float(panel.pick(0, 0, 0, 110, 180, -100, rng.uniform(-180, 180)))
    lat = {"orthographic": float(rng.uniform(-50, 60)), "polar": float(panel.pick(90, 90, -90))}.get(kind, 0.0)
    half_lat = float(panel.pick(60, 70, 80)) if kind in ("polar", "mercator") else 89.9
    frame = Frame.around(kind, lon, lat, 179.9, half_lat, columns)
    panel = panel if rect is None else replace(panel, rect=rect)
    axes = panel.axes(labels=panel.style.ticks != "none", aspect=frame.aspect)
    axes.grid(False)
    axes.set(xlim=(frame.x0, frame.x1), ylim=(frame.y0, frame.y1), xticks=[], yticks=[])
    if kind not in ("latlon", "mercator"):
        axes.set_axis_off()
    rim = Polygon(_rim(frame), facecolor="none", edgecolor=panel.style.ink, linewidth=panel.style.frame_width, zorder=9)
    axes.add_patch(rim)
    rim.set_clip_on(False)
    return Map(panel, axes, frame), rim


def _rim(frame: Frame) -> np.ndarray:
    """The edge of the Earth `(n, 2)` on the map, metres."""
    if frame.kind in OVALS:
        lat = np.linspace(-89.9, 89.9, 120)
        middle = frame.projection(0, 0, inverse=True)[0]
        west, east = (np.column_stack(frame.project(np.full(120, middle + side), lat)) for side in (-179.99, 179.99))
        return np.concatenate([west, east[::-1]])
    if frame.kind in ("orthographic", "polar"):
        angle = np.linspace(0, 2 * np.pi, 240)
        radius = EARTH_RADIUS if frame.kind == "orthographic" else frame.x1
        return radius * np.column_stack([np.cos(angle), np.sin(angle)])
    return np.array([(frame.x0, frame.y0), (frame.x1, frame.y0), (frame.x1, frame.y1), (frame.x0, frame.y1)])


def cut(map_: Map, rim: Polygon) -> None:
    """Trim pictures, lines and filled shapes to the rim of the Earth."""
    for artist in (*map_.axes.lines, *map_.axes.images, *map_.axes.collections, *map_.axes.patches):
        if artist is not rim:
            artist.set_clip_path(rim)


def _rim_labels(map_: Map) -> None:
    """Degrees where the parallels of an oval, or the meridians of a polar map, end."""
    frame, size = map_.frame, map_.panel.style.font_size * 0.8
    middle = frame.projection(0, 0, inverse=True)[0]
    if frame.kind in OVALS:
        for lat in range(-60, 61, 30):
            name = f" {abs(lat)}°{'N' if lat > 0 else 'S' if lat else ''} "
            for side, align in ((-179.9, "right"), (179.9, "left")):
                x, y = frame.projection(middle + side, lat)
                map_.axes.text(x, y, name, ha=align, va="center", fontsize=size)
    elif frame.kind == "polar":
        for lon in range(0, 360, 60):
            x, y = np.array(frame.projection(lon, np.sign(frame.lat[len(frame.lat) // 2, 0]) * 45))
            name = f"{min(lon, 360 - lon)}°{'E' if 0 < lon < 180 else 'W' if lon > 180 else ''}"
            scale = 1.08 * frame.x1 / np.hypot(x, y)
            map_.axes.text(x * scale, y * scale, name, ha="center", va="center", fontsize=size)


@plotted("hard_map", ("世界地图", "World map"), ("投影示例", "Projection example"), ("", ""), weight=1.2)
def world_map(panel: Panel) -> None:
    """The whole Earth in one of many projections."""
    panel = simple_page(panel)
    map_, rim = open_world(panel, panel.pick(*WORLDS))
    complete(map_, plain_ground(map_))
    cut(map_, rim)
    if panel.style.ticks != "none" and panel.chance(0.7):
        _rim_labels(map_)


@plotted("hard_map", ("地球", "Globe"), ("正射投影", "Orthographic"), ("", ""), weight=0.5)
def globe(panel: Panel) -> None:
    """One side of the Earth seen from space."""
    panel = simple_page(panel)
    map_, rim = open_world(panel, "orthographic")
    coast = plain_ground(map_)
    complete(map_, coast)
    cut(map_, rim)


@plotted("hard_map", ("投影对比", "Projections"), ("地图示例", "Map examples"), weight=0.6)
def projection_examples(panel: Panel) -> None:
    """Two to six small maps on one page, each in its own projection or its own window."""
    panel = replace(panel, style=replace(panel.style, title=panel.pick("none", "centre"), title_scale=0.8))
    rows, columns = panel.pick((1, 2), (1, 2), (2, 2), (2, 2), (2, 1), (2, 1), (2, 3))
    x, y, width, height = panel.rect
    for number in range(rows * columns):
        r, c = divmod(number, columns)
        rect = (x + width * c / columns, y + height * (1 - (r + 1) / rows), width / columns, height / rows)
        _example(replace(panel, rect=rect))


def _example(panel: Panel) -> None:
    if panel.chance(0.5):
        map_, rim = open_world(panel, panel.pick(*WORLDS, "orthographic"), columns=120)
        complete(map_, plain_ground(map_))
        cut(map_, rim)
        return
    map_ = open_map(panel, ANYWHERE, bar=False)
    complete(map_, plain_ground(map_))
