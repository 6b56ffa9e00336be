"""Tropical cyclones: past track, forecast, wind circles, cone, legend."""

import numpy as np
from matplotlib.patches import Circle, Polygon
from scipy import ndimage

from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.maps import Map, finish, ground, open_map
from meteo_ray.drawing.panel import Panel

GRADES = (  # upper wind limit (m/s), colour, zh, en: the six grades of the national standard
    (17.1, "#00b050", "热带低压", "TD"), (24.4, "#0070ff", "热带风暴", "TS"), (32.6, "#ffd000", "强热带风暴", "STS"),
    (41.4, "#ff8c00", "台风", "TY"), (50.9, "#ff50c0", "强台风", "STY"), (99.0, "#e00000", "超强台风", "SuperTY"),
)  # fmt: skip
NAMES = (("海葵", "Haikui"), ("杜苏芮", "Doksuri"), ("梅花", "Muifa"), ("烟花", "In-fa"), ("贝碧嘉", "Bebinca"),
         ("摩羯", "Yagi"), ("轩岚诺", "Hinnamnor"), ("利奇马", "Lekima"), ("山竹", "Mangkhut"))  # fmt: skip


def _grade(speed: float) -> tuple[float, str, str, str]:
    return next(grade for grade in GRADES if speed <= grade[0])


def _track(rng: np.random.Generator, points: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Six-hourly lon, lat, wind: westwards in the trades, recurving near 25 N, strongest at sea."""
    lon, lat = [rng.uniform(128, 150)], [rng.uniform(9, 17)]
    recurve = rng.uniform(21, 30)
    for _ in range(points - 1):
        turn = 1 / (1 + np.exp(-(lat[-1] - recurve) / 2))
        lon.append(lon[-1] - 0.9 * (1 - turn) + 1.1 * turn + rng.normal(0, 0.12))
        lat.append(lat[-1] + 0.45 + 0.35 * turn + rng.normal(0, 0.1))
    life = np.linspace(0, 1, points)
    wind = 14 + rng.uniform(18, 48) * np.sin(np.pi * life**0.8) ** 1.2
    return ndimage.gaussian_filter1d(lon, 1.5), ndimage.gaussian_filter1d(lat, 1.5), wind


@chart(("台风路径预报", "Tropical Cyclone Track Forecast"), ("台风路径图", "Typhoon track"), product="typhoon_track")
def typhoon_track(panel: Panel) -> None:
    rng = panel.rng
    map_ = open_map(panel, ("northwest_pacific", "northwest_pacific", "south_china_sea", "east_asia"), bar=False)
    ground(
        map_,
        land=None if panel.style.land != "none" else str(panel.pick("#f3efe2", "#e0e8d0", "#ececec", "none")),
        ocean=None if panel.style.ocean != "none" else str(panel.pick("#cfe7f7", "#e3f1fb", "#a9d3ee", "none")),
    )
    lon, lat, wind = _track(rng, int(rng.integers(22, 34)))
    _shift_into_view(map_, lon, lat)
    x, y = map_.frame.project(lon, lat)
    now = int(len(x) * rng.uniform(0.45, 0.65))
    if panel.chance(0.75):
        _cone(map_, x[now:], y[now:], float(map_.frame.spacing[0].mean()))
    map_.axes.plot(x[: now + 1], y[: now + 1], color="#404040", linewidth=1.2, zorder=8)
    for number in range(int(panel.pick(1, 1, 3))):  # several centres' forecasts fan out
        bend = (number - 1) * np.linspace(0, 1, len(x) - now) ** 1.5 * 2.5e5 if number else 0.0
        map_.axes.plot(x[now:] + bend, y[now:], color=("#e00000", "#0040c0", "#008000")[number], linestyle="--",
                       linewidth=1.2, zorder=8)  # fmt: skip
    _positions(map_, x, y, wind, now)
    _circles(map_, x[now], y[now])
    _words(map_, x[now], y[now], float(wind[now]), float(lon[now]), float(lat[now]))
    if panel.chance(0.6):
        _legend(map_)
    finish(map_)


def _shift_into_view(map_: Map, lon: np.ndarray, lat: np.ndarray) -> None:
    """Move the track so that its middle lies in the middle of the map."""
    middle = len(lon) // 2
    lon += float(np.nanmean(map_.frame.lon)) - lon[middle] + 2
    lat += float(np.nanmean(map_.frame.lat)) - lat[middle]


def _cone(map_: Map, x: np.ndarray, y: np.ndarray, metres: float) -> None:
    """Where the centre may go: the hull widens by about 90 km a day."""
    scale = (map_.frame.x1 - map_.frame.x0) / (map_.frame.width_km * 1000)
    width = scale * np.linspace(1.5e4, 3.2e5, len(x))
    direction = np.gradient(np.column_stack([x, y]), axis=0)
    direction /= np.maximum(np.hypot(*direction.T), 1)[:, None]
    normal = np.column_stack([-direction[:, 1], direction[:, 0]])
    line = np.column_stack([x, y])
    angle = np.linspace(-np.pi / 2, np.pi / 2, 15)[:, None]
    cap = line[-1] + width[-1] * (np.cos(angle) * direction[-1] + np.sin(angle) * normal[-1])
    hull = np.concatenate([line - width[:, None] * normal, cap, (line + width[:, None] * normal)[::-1]])
    map_.axes.add_patch(
        Polygon(
            hull,
            facecolor=str(map_.panel.pick("#ffffff", "#ffb0b0", "#d0d0ff", "#ffe0a0")),
            alpha=0.6,
            edgecolor="#707070",
            linewidth=0.8,
            zorder=7,
        )
    )


def _positions(map_: Map, x: np.ndarray, y: np.ndarray, wind: np.ndarray, now: int) -> None:
    colours = [_grade(float(speed))[1] for speed in wind]
    step = 1 if map_.panel.chance(0.5) else 2
    map_.axes.scatter(x[::step], y[::step], c=colours[::step], s=26, edgecolors="#303030", linewidths=0.5, zorder=9)
    map_.axes.plot(x[now], y[now], marker=str(map_.panel.pick("o", "*", "X")), markersize=11, color="#e00000",
                   markeredgecolor="white", zorder=10)  # fmt: skip
    if map_.panel.chance(0.6):
        for index in range(now, len(x), 4):
            label = map_.panel.story.issued.day + (index - now) // 4
            map_.axes.annotate(
                map_.panel.words(f"{label}日{(index * 6) % 24:02d}时", f"{label:02d}/{(index * 6) % 24:02d}Z"),
                (x[index], y[index]),
                (6, -4),
                textcoords="offset points",
                color="black",
                fontsize=map_.panel.style.font_size * 0.7,
                zorder=10,
            )


def _circles(map_: Map, x: float, y: float) -> None:
    scale = (map_.frame.x1 - map_.frame.x0) / (map_.frame.width_km * 1000)
    for radius, colour in ((map_.panel.rng.uniform(2.2e5, 4e5), "#ffd000"), (1.6e5, "#ff8c00"), (0.8e5, "#e00000")):
        map_.axes.add_patch(Circle((x, y), radius * scale, facecolor=colour, alpha=0.3, edgecolor=colour, zorder=7.5))


def _words(map_: Map, x: float, y: float, wind: float, lon: float, lat: float) -> None:
    panel = map_.panel
    zh, en = NAMES[int(panel.rng.integers(len(NAMES)))]
    _, _, grade_zh, grade_en = _grade(wind)
    pressure = 1010 - 1.45 * (wind - 10)
    lines = (
        panel.words(f"第{panel.rng.integers(1, 26)}号 {zh}", f"{grade_en} {en.upper()}"),
        panel.words(f"{grade_zh} {wind:.0f}米/秒", f"{wind:.0f} m/s"),
        f"{pressure:.0f} hPa  {lat:.1f}°N {lon:.1f}°E",
    )
    map_.axes.annotate("\n".join(lines), (x, y), (22, 18), textcoords="offset points", zorder=11, color="black",
                       fontsize=panel.style.font_size * 0.8, arrowprops={"arrowstyle": "-", "color": "#404040"},
                       bbox={"facecolor": "white", "edgecolor": "#404040", "pad": 2})  # fmt: skip


def _legend(map_: Map) -> None:
    panel = map_.panel
    for _, colour, zh, en in GRADES:
        map_.axes.scatter([], [], c=colour, s=24, edgecolors="#303030", linewidths=0.5, label=panel.words(zh, en))
    map_.axes.legend(loc=str(panel.pick("lower left", "upper right", "lower right")), framealpha=1,
                     facecolor="white", labelcolor="black").set_zorder(20)  # fmt: skip
