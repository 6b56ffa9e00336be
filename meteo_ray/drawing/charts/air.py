"""Air quality, dust, fog, and the trajectories that carry them."""

import numpy as np

from meteo_ray.drawing import fields, layers
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.maps import NATION, PROVINCES, Map, finish, graticule, ground, lines_over, open_map
from meteo_ray.drawing.panel import Panel


def _plume(map_: Map) -> np.ndarray:
    """0..1: what towns on land give off, spread by stagnant air."""
    spots = fields.patches(map_.atmosphere.noise(8, 0.25, 2.0) + 1.1 * map_.atmosphere.noise(9, 0.6, 2.4), 0.6, 1.5)
    stagnant = 1 / (1 + (np.hypot(*map_.atmosphere.surface_wind()) / 6) ** 2)
    plume = (
        spots * (0.35 + stagnant) * np.where(map_.atmosphere.land, 1, 0.55) * np.exp(-map_.atmosphere.terrain / 2500)
    )
    return plume / max(float(plume.max()), 1e-9)


@chart(("PM2.5浓度预报", "PM2.5 Concentration Forecast"), ("全国PM2.5浓度", "PM2.5 ug/m3"), product="pm25_forecast")
def pm25(panel: Panel) -> None:
    map_ = open_map(panel, NATION * 2 + PROVINCES)
    ground(map_)
    concentration = 8 + panel.rng.uniform(80, 320) * _plume(map_)
    levels = np.array([0, 35, 75, 115, 150, 250, 500])
    mappable = layers.fill(map_, concentration, "pollution", levels if panel.chance(0.7) else None,
                           china_only=bool(map_.china.mean() > 0.25 and panel.chance(0.4)))  # fmt: skip
    if panel.chance(0.3):
        layers.wind(map_, *map_.atmosphere.surface_wind())
        panel.shown.add("wind")
    finish(map_, mappable, "μg/m³")


@chart(("臭氧浓度", "Ozone concentration"), ("AQI", "Air Quality Index"), ("NO2", "Layer 1 NO2"), ("PM10", "PM10"),
       elements=("air_quality",))  # fmt: skip
def pollutant(panel: Panel) -> None:
    map_ = open_map(panel, NATION + PROVINCES * 3 + ("europe", "usa"))
    ground(map_)
    plume = _plume(map_) * panel.rng.uniform(0.05, 300)
    if panel.chance(0.25):
        from meteo_ray.drawing.panel import nice_levels

        mappable = layers.station_dots(map_, plume, "pollution", nice_levels(0, float(plume.max()), 7), 300)
    else:
        mappable = layers.fill(map_, plume, str(panel.pick("pollution", "sequential", "temperature")))
    finish(map_, mappable, str(panel.pick("μg/m³", "ppb", "ppmV")))


@chart(
    ("沙尘天气落区预报", "Sand and Dust Forecast"), ("沙尘浓度预报", "Dust concentration"), product="sand_dust_forecast"
)
def sand_dust(panel: Panel) -> None:
    map_ = open_map(panel, ("china", "china", "east_asia", "northwest_china", "north_china"))
    ground(map_)
    dry = np.exp(-(((map_.atmosphere.lat - 42) / 7) ** 2) - ((map_.atmosphere.lon - 97) / 22) ** 2)
    dust = fields.patches(dry * 1.6 + 0.55 * map_.atmosphere.noise(8, 0.35, 1.8), 0.35)
    if panel.chance(0.45):
        classes = panel.words("扬沙或浮尘,沙尘暴,强沙尘暴", "Blowing dust,Dust storm,Severe dust storm").split(",")
        mappable = layers.fill(map_, dust * 3.9, "dust", np.array([0.6, 1.6, 2.6, 4]), above=0.6)
        map_.axes.text(
            0.02,
            0.02,
            "  ".join(classes),
            transform=map_.axes.transAxes,
            fontsize=panel.style.font_size * 0.8,
            color="#70400a",
            zorder=10,
            bbox={"facecolor": "white", "edgecolor": "#70400a", "pad": 2},
        )
    else:
        levels = np.array([20, 50, 100, 200, 500, 1000, 2000, 5000])
        mappable = layers.fill(map_, dust**2 * 5000, "dust", levels, above=20)
    if panel.chance(0.3):
        layers.wind(map_, *map_.atmosphere.wind(850))
        panel.shown.add("wind")
    finish(map_, mappable, "μg/m³")


@chart(("大雾能见度预报", "Fog and Visibility Forecast"), ("能见度", "Visibility (km)"), product="fog_visibility")
def fog(panel: Panel) -> None:
    map_ = open_map(panel, NATION * 2 + PROVINCES)
    ground(map_)
    wet = fields.patches(map_.atmosphere.noise(8, 0.25, 1.7) + 0.7 * map_.atmosphere.noise(5, 0.5), 0.4, 0.7)
    visibility = 20 * (1 - wet) ** 2.2 * np.where(map_.atmosphere.land, 1, 1.4)
    if panel.chance(0.5):
        levels = np.array([0, 0.05, 0.2, 0.5, 1, 2, 5, 10])
        mappable = layers.fill(map_, np.where(visibility > 10, np.nan, visibility), "fog", levels)
    else:
        mappable = layers.fill(map_, visibility, "fog", np.array([0, 0.2, 0.5, 1, 2, 3, 5, 10, 20]))
    finish(map_, mappable, "km")


@chart(
    ("后向轨迹", "Backward Trajectories"),
    ("气团后向轨迹（48小时）", "HYSPLIT-like back trajectories"),
    product="back_trajectory",
)
def back_trajectory(panel: Panel) -> None:
    x, y, width, height = panel.rect
    profile = panel.chance(0.65)
    lower = height * 0.3 if profile else 0.0
    top = Panel(panel.figure, (x, y + lower, width, height - lower), panel.style, panel.rng, panel.story, panel.names)
    map_ = open_map(top, (*NATION, "east_asia", "east_asia", "northwest_china", "europe", "usa"), bar=False)
    ground(map_)
    colours = ("#e00000", "#0000e0", "#00a000", "#c07000", "#9000a0")
    hours = int(panel.pick(48, 72, 72, 96))
    count = int(panel.pick(1, 3, 3, 3, 5))
    start = np.array([map_.frame.shape[0], map_.frame.shape[1]]) * panel.rng.uniform(0.4, 0.65, 2)
    tracks = [_backwards(map_, start, level, hours) for level in (925, 850, 700, 850, 500)[:count]]
    for number, track in enumerate(tracks):
        path_x = np.interp(track[:, 1], np.arange(map_.frame.shape[1]), map_.frame.x)
        path_y = np.interp(track[:, 0], np.arange(map_.frame.shape[0]), map_.frame.y)
        map_.axes.plot(path_x, path_y, color=colours[number], linewidth=1.4, marker="s^o"[number % 3], markevery=6,
                       markersize=4, zorder=8)  # fmt: skip
    map_.axes.plot(path_x[0], path_y[0], "*", color="black", markersize=10, zorder=9)
    lines_over(map_)
    graticule(map_)
    top.title(map_.axes)
    if profile:
        _heights(Panel(panel.figure, (x, y, width, lower), panel.style, panel.rng, panel.story), tracks, colours, hours)


def _backwards(map_: Map, start: np.ndarray, level: int, hours: int) -> np.ndarray:
    """Positions `(hours + 1, 2)` as fractional (row, column), hour by hour back along the wind."""
    u, v = map_.atmosphere.wind(level)
    dx, dy = map_.frame.spacing
    jitter = map_.panel.rng.normal(0, 0.3, 2)
    place = start + jitter
    track = [place]
    for _ in range(hours):
        at = [np.array([axis]) for axis in place]
        move = [fields.sample(part / step, *at)[0] for part, step in ((v, dy), (u, dx))]
        place = np.clip(place - 3600 * np.array(move), 0, np.array(map_.frame.shape) - 1)
        track.append(place)
    return np.array(track)


def _heights(panel: Panel, tracks: list[np.ndarray], colours: tuple[str, ...], hours: int) -> None:
    axes = panel.figure.add_axes(panel.room(False, True))
    time = -np.arange(hours + 1)
    for number in range(len(tracks)):
        level = (500, 1000, 1500, 2000, 3000)[number]
        wander = np.cumsum(panel.rng.normal(8, 45, hours + 1)) * (1 + 0.4 * number)
        axes.plot(time, np.clip(level + wander, 10, None), color=colours[number], marker="s^o"[number % 3], markevery=6,
                  markersize=3, linewidth=1)  # fmt: skip
    axes.set_ylabel(panel.words("高度 (m)", "m AGL"))
    axes.set_xlim(0, -hours)
