"""Maps on which one thing is singled out: a country, a box, a field of view, a way between two towns."""

import numpy as np
from scipy import ndimage

from meteo_ray.drawing import fields, outlines
from meteo_ray.drawing.districts import district_lines, districts
from meteo_ray.drawing.frames import Frame
from meteo_ray.drawing.lookalikes.bare_maps import WORLDS, complete, cut, open_world, plain_ground, simple_page
from meteo_ray.drawing.lookalikes.registry import plotted
from meteo_ray.drawing.maps import ANYWHERE, Map, graticule, lines_over, open_map
from meteo_ray.drawing.panel import Panel
from meteo_ray.drawing.story import PLACES

PENS = ("red", "red", "blue", "black", "#00a000", "#f08000", "#2070e0", "#c000c0")
_OUTLINE_PENS = ("black",) * 6 + ("#444444", "red", "#2070e0")
# Longitude and latitude inside a country, and the half width of its window in degrees.
_COUNTRIES = (
    (105, 35, 33), (105, 35, 33), (79, 22, 18), (2.5, 46.5, 9), (-2, 53, 9), (-98, 39, 32), (134, -25, 24), (10, 51, 9),
    (-55, -10, 24), (12.5, 43, 10), (101, 15, 11), (24, -29, 14), (30, 27, 9), (-102, 23, 18), (-66, -35, 20),
)  # fmt: skip


@plotted("hard_map", ("省界", "Province boundary"), ("国界轮廓", "Country outline"), ("", ""), weight=0.8)
def one_outline(panel: Panel) -> None:
    """A single country or province alone on the paper: its line, its shape, or its parts."""
    panel = simple_page(panel)
    lon, lat, half = panel.pick(*_COUNTRIES)
    frame = Frame.around(panel.pick("latlon", "lambert", "mercator"), lon, lat, half, half * 0.85, 240)
    map_ = Map(panel, panel.axes(labels=panel.style.ticks != "none"), frame)
    map_.axes.grid(False)
    inside = _country(map_, lon, lat)
    if panel.chance(0.5):
        numbers = districts(map_, int(panel.rng.integers(8, 30)), china_only=False)
        inside = _largest_piece(inside & (numbers == np.bincount(numbers[inside & (numbers >= 0)]).argmax()))
    _crop(map_, inside)
    _draw_shape(map_, inside)
    if panel.chance(0.5):
        graticule(map_)
    elif panel.chance(0.3):
        map_.axes.set_axis_off()
    panel.title(map_.axes, second="")


def _country(map_: Map, lon: float, lat: float) -> np.ndarray:
    """Which grid points lie in the country around a place."""
    if (lon, lat) == _COUNTRIES[0][:2]:
        return map_.china.copy()
    here = outlines.country_numbers(np.array([lon]), np.array([lat]))
    return outlines.country_numbers(map_.frame.lon, map_.frame.lat) == here[0]


def _largest_piece(inside: np.ndarray) -> np.ndarray:
    """The largest connected piece, its holes filled."""
    pieces, _ = ndimage.label(inside)
    return ndimage.binary_fill_holes(pieces == np.bincount(pieces[inside]).argmax())


def _crop(map_: Map, inside: np.ndarray) -> None:
    """Bring the window close around the points inside, at the true shape."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    frame, axes = map_.frame, map_.axes
    x, y = frame.x[columns[[0, -1]]], frame.y[rows[[0, -1]]]
    margin = 0.06 * max(x[1] - x[0], y[1] - y[0])
    axes.set(xlim=(x[0] - margin, x[1] + margin), ylim=(y[0] - margin, y[1] + margin), xticks=[], yticks=[])
    axes.set_aspect("equal")


def _draw_shape(map_: Map, inside: np.ndarray) -> None:
    """The shape as a line, a line around lakes, a line around parts, a filled area, or white on black."""
    panel, frame, axes = map_.panel, map_.frame, map_.axes
    soft = ndimage.gaussian_filter(inside.astype(float), 0.6)
    pen = panel.style.ink if panel.style.dark else panel.pick(*_OUTLINE_PENS)
    manner = panel.pick("line", "line", "lakes", "parts", "filled", "mask")
    if manner == "mask":
        axes.contourf(frame.x, frame.y, soft, [-1, 0.5, 2], colors=["black", "white"])
        return
    if manner == "filled":
        axes.contourf(frame.x, frame.y, soft, [0.5, 2], colors=[panel.pick("#808080", "#f4d8b0", "#70a0d0", "red")])
    elif manner == "parts":
        numbers = np.where(inside, districts(map_, int(panel.rng.integers(6, 60)), china_only=False), -1)
        district_lines(map_, numbers, panel.style.coast_width, pen)
    elif manner == "lakes":
        noise = np.where(inside, fields.smooth_noise(panel.rng, frame.shape, 18, 2), -9)
        axes.contour(frame.x, frame.y, noise, [1.6], colors="#2050ff", linewidths=0.8)
    axes.contour(frame.x, frame.y, soft, [0.5], colors=pen, linewidths=1.4 * panel.style.coast_width)


@plotted("hard_map", ("研究区域", "Study area"), ("模拟区域设置", "Model domain"), ("观测覆盖范围", "Field of view"),
         weight=0.8)  # fmt: skip
def marked_region(panel: Panel) -> None:
    """A box, nested boxes, a polygon, a country or the view of a satellite marked on a bare map."""
    panel = simple_page(panel)
    if panel.chance(0.5):
        map_, rim = open_world(panel, panel.pick(*WORLDS, "orthographic"))
    else:
        map_, rim = open_map(panel, ANYWHERE, bar=False), None
    coast = plain_ground(map_)
    mark = panel.pick(_boxes, _polygon, _filled_country, _views, _zoom)
    mark(map_)
    complete(map_, coast)
    if rim is not None:
        cut(map_, rim)


def _boxes(map_: Map) -> None:
    """One box or several, one in the other, sometimes filled."""
    frame, rng = map_.frame, map_.panel.rng
    pen, filled = map_.panel.pick(*PENS), map_.panel.chance(0.3)
    half = np.array([frame.x1 - frame.x0, frame.y1 - frame.y0]) * rng.uniform(0.06, 0.4, 2)
    centre = np.array([frame.x0, frame.y0]) + rng.uniform(0.35, 0.65, 2) * (frame.x1 - frame.x0, frame.y1 - frame.y0)
    for number in range(int(map_.panel.pick(1, 1, 2, 3))):
        x, y = (centre[:, None] + half[:, None] * 0.6**number * [[-1, 1, 1, -1, -1], [-1, -1, 1, 1, -1]]).tolist()
        map_.axes.plot(x, y, color=pen, linewidth=map_.panel.style.frame_width + 0.8, zorder=8)
        if filled:
            map_.axes.fill(x, y, color=pen, alpha=0.4, zorder=7)


def _polygon(map_: Map) -> None:
    frame, rng = map_.frame, map_.panel.rng
    angle = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(4, 9))))
    radius = (frame.y1 - frame.y0) * rng.uniform(0.1, 0.4, len(angle))
    x = (frame.x0 + frame.x1) / 2 + radius * np.cos(angle)
    y = (frame.y0 + frame.y1) / 2 + radius * np.sin(angle)
    pen = map_.panel.pick(*PENS)
    map_.axes.fill(x, y, facecolor=pen if map_.panel.chance(0.5) else "none", edgecolor=pen, alpha=0.6, zorder=7)


def _filled_country(map_: Map) -> None:
    """Paint the country in which one of the map's points lies."""
    numbers = outlines.country_numbers(map_.frame.lon, map_.frame.lat)
    land = numbers[numbers > 0]
    if land.size:
        inside = (numbers == land[int(map_.panel.rng.integers(land.size))]).astype(float)
        map_.axes.contourf(map_.frame.x, map_.frame.y, inside, [0.5, 2], colors=[map_.panel.pick(*PENS)], zorder=3)


def _views(map_: Map) -> None:
    """What one to three satellites see of the Earth, as clear circles bent by the projection."""
    for _ in range(int(map_.panel.pick(1, 1, 2, 3))):
        lon, lat = np.nanmean(map_.frame.lon) + map_.panel.rng.uniform(-60, 60), map_.panel.rng.uniform(-20, 45)
        x, y = circle(map_.frame, float(lon), float(lat), float(map_.panel.pick(8, 25, 60)))
        pen = map_.panel.pick(*PENS)
        map_.axes.plot(x, y, color=pen, linewidth=1.4, linestyle=map_.panel.pick("-", "--"), zorder=8)
        map_.axes.fill(x, y, color=pen, alpha=0.25, zorder=7)


def circle(frame: Frame, lon: float, lat: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Points in metres of the circle of `radius` degrees on the sphere, without those that the map's seam tears off."""
    angle, reach, phi = np.linspace(0, 2 * np.pi, 120), np.radians(radius), np.radians(lat)
    sine = np.sin(phi) * np.cos(reach) + np.cos(phi) * np.sin(reach) * np.cos(angle)
    east = np.arctan2(np.sin(angle) * np.sin(reach) * np.cos(phi), np.cos(reach) - np.sin(phi) * sine)
    x, y = frame.project(lon + np.degrees(east), np.degrees(np.arcsin(sine)))
    near = np.abs(x - frame.project(np.array([lon]), np.array([lat]))[0]) < 0.45 * (frame.x1 - frame.x0)
    return x[near], y[near]


def _zoom(map_: Map) -> None:
    """A box and, in a corner, the same piece larger."""
    frame, panel = map_.frame, map_.panel
    share = float(panel.rng.uniform(0.08, 0.2))
    half_x, half_y = share * (frame.x1 - frame.x0), share * (frame.y1 - frame.y0)
    x = (frame.x0 + frame.x1) / 2 + panel.rng.uniform(-1, 1) * half_x
    y = (frame.y0 + frame.y1) / 2 + panel.rng.uniform(-1, 1) * half_y
    piece = Frame(frame.kind, frame.projection, x - half_x, x + half_x, y - half_y, y + half_y, (40, 40))
    map_.axes.plot([x - half_x, x + half_x, x + half_x, x - half_x, x - half_x],
                   [y - half_y, y - half_y, y + half_y, y + half_y, y - half_y], color="red", zorder=8)  # fmt: skip
    corner = panel.pick((0.62, 0.03), (0.03, 0.03), (0.62, 0.62), (0.03, 0.62))
    inset = map_.axes.inset_axes((*corner, 0.35, 0.35), zorder=11)
    inset.set(xlim=(piece.x0, piece.x1), ylim=(piece.y0, piece.y1), xticks=[], yticks=[])
    lines_over(Map(panel, inset, piece))


@plotted("hard_map", ("大圆航线", "Great circle"), ("两地距离", "Distance between two towns"), ("", ""), weight=0.4)
def two_towns(panel: Panel) -> None:
    """A few named towns, and the straight and the shortest way between two of them."""
    panel = simple_page(panel)
    map_, rim = open_world(panel, panel.pick(*WORLDS, "orthographic"))
    coast = plain_ground(map_)
    chosen = panel.rng.choice(len(PLACES), int(panel.pick(2, 2, 4)), replace=False)
    lon, lat = (np.array([getattr(PLACES[int(n)], axis) for n in chosen]) for axis in ("lon", "lat"))
    x, y = map_.frame.project(lon, lat)
    if panel.chance(0.5):
        map_.axes.plot(*_shortest_way(map_.frame, lon[:2], lat[:2]), color="red", linewidth=1.8, zorder=8)
        map_.axes.plot(x[:2], y[:2], color="blue", linewidth=1.8, zorder=8)
    elif np.isfinite(x[:2]).all():
        map_.axes.annotate("", (x[1], y[1]), (x[0], y[0]), arrowprops={"arrowstyle": "->", "color": "red"}, zorder=8)
    map_.axes.plot(x, y, "o", color=panel.pick("black", "red", "blue"), markersize=4, zorder=8)
    for number, town_x, town_y in zip(chosen, x, y, strict=True):
        if np.isfinite(town_x):
            map_.axes.text(town_x, town_y, " " + panel.words(PLACES[int(number)].zh, PLACES[int(number)].en), zorder=9)
    complete(map_, coast)
    cut(map_, rim)


def _shortest_way(frame: Frame, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The great circle between two points, in metres, broken at the map's seam."""
    lam, phi = np.radians(lon), np.radians(lat)
    ends = np.column_stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])
    between = np.linspace(1, 0, 200)[:, None] * ends[0] + np.linspace(0, 1, 200)[:, None] * ends[1]
    between /= np.linalg.norm(between, axis=1, keepdims=True)
    x, y = frame.project(np.degrees(np.arctan2(between[:, 1], between[:, 0])), np.degrees(np.arcsin(between[:, 2])))
    torn = np.abs(np.diff(x, append=x[-1])) > 0.3 * (frame.x1 - frame.x0)
    return np.where(torn, np.nan, x), y
