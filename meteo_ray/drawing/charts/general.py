"""Charts outside the product list: free overlays, coloured isolines, differences, ensembles, sections in time."""

from collections.abc import Callable

import numpy as np
from matplotlib.cm import ScalarMappable

from meteo_ray.drawing import fields, layers
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.maps import ANYWHERE, WIDE, Map, finish, ground, open_map
from meteo_ray.drawing.panel import Panel, nice_levels

# element -> the field that shows it, its colours and unit
FILLS: dict[str, tuple[Callable[[Map], np.ndarray], str, str]] = {
    "temperature": (lambda m: m.atmosphere.temperature(850), "temperature", "degC"),
    "humidity": (lambda m: m.atmosphere.surface_humidity(), "moist", "%"),
    "geopotential_height": (lambda m: m.atmosphere.height(500) / 10, "height", "dam"),
    "wind": (lambda m: m.atmosphere.speed(300), "wind", "m/s"),
    "vorticity": (lambda m: m.atmosphere.vorticity(500) * 1e5, "signed", "1e-5 s-1"),
    "vertical_velocity": (lambda m: m.atmosphere.vertical_velocity(), "signed", "Pa/s"),
    "divergence": (lambda m: m.atmosphere.divergence(200) * 1e5, "signed", "1e-5 s-1"),
    "potential_vorticity": (lambda m: m.atmosphere.potential_vorticity(), "sequential", "PVU"),
    "precipitation": (lambda m: 60 * m.atmosphere.rain(), "rain", "mm"),
    "cloud": (lambda m: 100 * m.atmosphere.cloud(), "grey", "%"),
    "instability": (lambda m: m.atmosphere.cape(), "sequential", "J/kg"),
    "dew_point": (lambda m: m.atmosphere.surface_dew_point(), "moist", "degC"),
    "freezing_level": (lambda m: m.atmosphere.freezing_level(), "height", "m"),
}
LINES: dict[str, Callable[[Map], np.ndarray]] = {
    "geopotential_height": lambda m: m.atmosphere.height(500) / 10,
    "pressure": lambda m: m.atmosphere.pressure(),
    "temperature": lambda m: m.atmosphere.temperature(850),
}
LINE_COLOURS = ("black", "#1010d0", "#d01010", "#00a030", "#a000c0", "#806000", "#00b0b0", "#ff00ff")


@chart(("综合分析图", "Synoptic overlay"), ("数值预报产品", "Model forecast"), ("", ""), weight=8)
def overlay(panel: Panel) -> None:
    """A filled field, isolines and wind, each by chance: what is drawn is what is labelled."""
    filled = str(panel.pick(*FILLS)) if panel.chance(0.8) else None
    map_ = open_map(panel, ANYWHERE, bar=filled is not None)
    ground(map_)
    mappable, unit = None, ""
    if filled:
        field, kind, unit = FILLS[filled]
        values = field(map_)
        wet = filled in ("precipitation", "instability")
        mappable = layers.fill(map_, values, kind, above=0.02 * float(values.max()) if wet else None)
        panel.shown.add(filled)
    lined = str(panel.pick(*(name for name in LINES if name != filled)))
    if not filled or panel.chance(0.6):
        layers.isolines(map_, LINES[lined](map_), None, None if filled else str(panel.pick(*LINE_COLOURS)))
        panel.shown.add(lined)
    if panel.chance(0.4):
        layers.wind(map_, *map_.atmosphere.wind(850))
        panel.shown.add("wind")
    finish(map_, mappable, unit)


@chart(("等高线", "Geopotential contours"), ("位势高度", "z"), elements=("geopotential_height",))
def height_lines(panel: Panel) -> None:
    """Isolines alone on a wide map, in one colour or in many, as web map services draw them."""
    map_ = open_map(panel, (*WIDE, "east_asia", "europe", "north_atlantic"), bar=False)
    ground(map_)
    field = map_.atmosphere.height(int(panel.pick(850, 500, 300))) / 10
    if panel.chance(0.5):
        layers.isolines(map_, field, 4, str(panel.pick(*LINE_COLOURS)))
    else:
        table, _ = panel.colours("height", np.arange(24))
        map_.axes.contour(
            map_.frame.x, map_.frame.y, field, 18, cmap=table, linewidths=panel.style.contour_width, zorder=7
        )
    finish(map_)


@chart(("集合预报面条图", "Spaghetti plot"), ("500hPa集合等值线", "EPS 552/576 dam"), elements=("geopotential_height",))
def spaghetti(panel: Panel) -> None:
    map_ = open_map(panel, ("east_asia", "europe", "north_america", "north_hemisphere"), bar=False)
    ground(map_)
    height = map_.atmosphere.height(500) / 10
    table, _ = panel.colours(str(panel.pick("temperature", "height")), np.arange(14))
    for member in range(int(panel.rng.integers(8, 14))):
        shaken = height + 3.5 * fields.smooth_noise(panel.rng, map_.frame.shape, map_.atmosphere.wavelength, 4)
        map_.axes.contour(
            map_.frame.x, map_.frame.y, shaken, [552, 576], colors=[table(member % table.N)], linewidths=0.8, zorder=7
        )
    finish(map_)


@chart(("温度距平", "Temperature anomaly"), ("预报差值", "Forecast minus analysis"), elements=("temperature",))
def temperature_difference(panel: Panel) -> None:
    map_ = open_map(panel, ANYWHERE)
    ground(map_)
    field = 2.2 * fields.smooth_noise(panel.rng, map_.frame.shape, map_.atmosphere.wavelength * 0.6, 2.2)
    mappable = layers.fill(map_, field, "signed", np.linspace(-6, 6, 13))
    finish(map_, mappable, "K")


@chart(("时间-高度温度剖面", "Temperature time-height"), ("廓线温度", "sonde temperature"), elements=("temperature",))
def time_height_temperature(panel: Panel) -> None:
    height = np.linspace(0, 12, 48)[:, None]
    noise = fields.smooth_noise(panel.rng, (48, 96), 26, 2.4)
    _time_height(panel, 26 - 6.3 * height + 3 * noise, "temperature", "degC")


@chart(
    ("时间-高度反射率", "Vertically pointing reflectivity"),
    ("测云雷达", "KAZR reflectivity"),
    elements=("radar_reflectivity",),
)
def time_height_reflectivity(panel: Panel) -> None:
    noise = fields.smooth_noise(panel.rng, (48, 96), 12, 1.6) + fields.smooth_noise(panel.rng, (48, 96), 40, 2.5)
    top = np.linspace(1.2, -1.4, 48)[:, None]
    _time_height(panel, np.ma.masked_less(-8 + 16 * (noise + top), -30), "radar", "dBZ")


@chart(("时间-高度云", "Cloud fraction time-height"), ("激光雷达云", "Cloud phase"), elements=("cloud",))
def time_height_cloud(panel: Panel) -> None:
    noise = fields.smooth_noise(panel.rng, (48, 96), 14, 1.5)
    _time_height(panel, np.ma.masked_less(55 + 35 * noise, 40), "grey", "%")


@chart(("相对湿度剖面", "Relative humidity time-height"), ("湿度廓线", "rh profile"), elements=("humidity",))
def time_height_humidity(panel: Panel) -> None:
    _time_height(panel, np.clip(55 + 24 * fields.smooth_noise(panel.rng, (48, 96), 20, 2), 0, 100), "moist", "%")


def _time_height(panel: Panel, values: np.ndarray, kind: str, unit: str) -> None:
    axes = panel.axes(bar=True, labels=True)
    axes.grid(False)
    hours, pressure = np.linspace(0, float(panel.pick(24, 48, 120)), 96), panel.chance(0.4)
    vertical = np.linspace(1000, 200, 48) if pressure else np.linspace(0, 12, 48)
    levels = nice_levels(float(np.ma.min(values)), float(np.ma.max(values)), panel.style.levels + 3)
    table, norm = panel.colours(kind, levels)
    mesh: ScalarMappable
    if panel.style.fill == "contourf":
        mesh = axes.contourf(hours, vertical, values, levels, cmap=table, norm=norm, extend="both")
    else:
        mesh = axes.pcolormesh(hours, vertical, values, cmap=table, norm=norm, shading="nearest")
    if pressure:
        axes.invert_yaxis()
    axes.set_xlabel(panel.words("时间 (h)", "Time (UTC)"))
    axes.set_ylabel("hPa" if pressure else panel.words("高度 (km)", "Height (km)"))
    panel.title(axes)
    panel.colour_bar(axes, mesh, unit)


@chart(("速度矢端图", "Hodograph"), ("风矢端图", "Wind hodograph"), elements=("wind",))
def hodograph(panel: Panel) -> None:
    axes = panel.axes(labels=True, aspect=1)
    reach = float(panel.pick(30, 40, 60))
    angle = np.linspace(0, 2 * np.pi, 100)
    for radius in np.arange(10, reach + 1, 10).tolist():
        axes.plot(radius * np.cos(angle), radius * np.sin(angle), color="#999999", linewidth=0.7, linestyle="--")
        axes.text(0, radius, f"{radius:g}", fontsize=panel.style.font_size * 0.75, color="#777777")
    height = np.linspace(0, 1, 60)
    turn = panel.rng.uniform(0, 6) + panel.rng.uniform(0.5, 2.5) * height
    speed = 4 + reach * 0.8 * height ** panel.rng.uniform(0.6, 1.2)
    u, v = speed * np.cos(turn) + np.sin(9 * height), speed * np.sin(turn) + np.cos(7 * height)
    for start, colour in zip((0, 15, 30, 45), ("#e00000", "#00a000", "#0000e0", "#8000a0"), strict=True):
        axes.plot(u[start : start + 16], v[start : start + 16], color=colour, linewidth=2)
    axes.axhline(0, color="#aaaaaa", linewidth=0.7)
    axes.axvline(0, color="#aaaaaa", linewidth=0.7)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="u (m/s)", ylabel="v (m/s)")
    panel.title(axes)
