"""Constant-pressure and isentropic charts."""

import numpy as np

from meteo_ray.drawing import fields, layers
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.maps import ANYWHERE, ASIA, Map, finish, ground, open_map
from meteo_ray.drawing.panel import Panel


def _decametres(map_: Map, level: int) -> np.ndarray:
    return map_.atmosphere.height(level) / 10


def _height_lines(map_: Map, level: int, colour: str | None = None) -> None:
    step = {200: 12, 300: 12, 500: 4, 700: 4, 850: 4, 925: 4}[level]
    layers.isolines(map_, _decametres(map_, level), step, colour)
    if level == 500 and map_.panel.chance(0.4):  # the 588 line bounds the subtropical high
        map_.axes.contour(
            map_.frame.x, map_.frame.y, _decametres(map_, 500), [588], colors="red", linewidths=2.2, zorder=7
        )
    if map_.panel.chance(0.5):
        layers.highs_and_lows(map_, _decametres(map_, level), values=map_.panel.chance(0.3))


@chart(("500百帕高度场", "500 hPa Geopotential Height"), ("500hPa形势场", "z500"), product="500hpa_height")
def height_500(panel: Panel) -> None:
    filled = panel.chance(0.55)
    map_ = open_map(panel, ANYWHERE, bar=filled)
    ground(map_)
    mappable = layers.fill(map_, _decametres(map_, 500), "height") if filled else None
    _height_lines(map_, 500)
    finish(map_, mappable, "dagpm")


@chart(("500hPa高度和温度", "500 hPa Height and Temperature"), ("500hPa高空分析", "500mb Z/T"),
       product="500hpa_height_temperature")  # fmt: skip
def height_temperature_500(panel: Panel) -> None:
    filled = panel.chance(0.55)
    map_ = open_map(panel, ANYWHERE, bar=filled)
    ground(map_)
    temperature = map_.atmosphere.temperature(500)
    if filled:
        mappable = layers.fill(map_, temperature, "temperature")
    else:
        mappable = None
        layers.isolines(map_, temperature, 4, "#d02020", width=0.9, dashed=True)
    _height_lines(map_, 500, "black" if filled else "#1020b0")
    finish(map_, mappable, "℃")


@chart(("500hPa涡度与高度场", "500 hPa Height and Vorticity"), ("500hPa高度、涡度", "500-hPa absolute vorticity"),
       product="500hpa_height_vorticity")  # fmt: skip
def height_vorticity_500(panel: Panel) -> None:
    map_ = open_map(panel, ANYWHERE)
    ground(map_)
    vorticity = map_.atmosphere.vorticity(500) * 1e5
    reach = float(np.quantile(np.abs(vorticity), 0.99))
    if panel.chance(0.5):
        levels = np.linspace(-1, 1, 2 * (panel.style.levels // 2) + 1) * np.ceil(reach)
        mappable = layers.fill(map_, vorticity, "signed", levels)
    else:
        levels = np.linspace(0.15, 1, panel.style.levels) * np.ceil(reach)
        mappable = layers.fill(map_, vorticity, "sequential", levels.round(1), above=float(levels[0]))
    _height_lines(map_, 500)
    finish(map_, mappable, "$10^{-5}$ s$^{-1}$")


@chart(("200hPa高空风场和急流", "200 hPa Jet Stream"), ("200hPa高度场、风速", "200mb Height/Isotachs"),
       product="200hpa_jet_stream")  # fmt: skip
def jet_stream_200(panel: Panel) -> None:
    map_ = open_map(panel, ANYWHERE)
    ground(map_)
    u, v = map_.atmosphere.wind(200)
    speed = np.hypot(u, v)
    weakest, step = (30, 6) if speed.max() > 55 else (12, 4)  # a map without a jet still shows its strongest wind
    mappable = layers.fill(map_, speed, "wind", np.arange(weakest, weakest + 9 * step, step), above=weakest)
    _height_lines(map_, 200)
    if panel.chance(0.75):
        layers.wind(map_, u, v)
    finish(map_, mappable, "m/s")


@chart(("200hPa散度场与流场", "200 hPa Divergence and Streamlines"), ("高空辐散", "200mb divergence"),
       product="200hpa_divergence")  # fmt: skip
def divergence_200(panel: Panel) -> None:
    map_ = open_map(panel, ANYWHERE)
    ground(map_)
    u, v = map_.atmosphere.wind(200)
    divergence = fields.divergence(u, v, map_.frame.spacing) * 1e5
    reach = float(np.quantile(np.abs(divergence), 0.98))
    mappable = layers.fill(map_, divergence, "signed", np.linspace(-reach, reach, 13).round(1))
    layers.wind(map_, u, v, manner="streamlines" if panel.chance(0.75) else None)
    finish(map_, mappable, "$10^{-5}$ s$^{-1}$")


@chart(("700hPa湿度场和风", "700 hPa Relative Humidity and Wind"), ("700百帕相对湿度、风", "RH 700mb"),
       product="700hpa_humidity_wind")  # fmt: skip
def humidity_wind_700(panel: Panel) -> None:
    map_ = open_map(panel, ANYWHERE)
    ground(map_)
    humidity = map_.atmosphere.humidity()
    levels = panel.pick(np.arange(0, 101, 10), np.arange(50, 101, 10), np.array([0, 20, 40, 60, 70, 80, 90, 95, 100]))
    mappable = layers.fill(map_, humidity, "moist", levels, above=levels[0] if levels[0] > 0 else None)
    layers.wind(map_, *map_.atmosphere.wind(700))
    finish(map_, mappable, "%")


@chart(("700hPa上升运动", "700 hPa Vertical Velocity and Height"), ("700hPa垂直速度", "omega 700 hPa"),
       product="700hpa_vertical_velocity")  # fmt: skip
def vertical_velocity_700(panel: Panel) -> None:
    map_ = open_map(panel, ANYWHERE)
    ground(map_)
    omega = map_.atmosphere.vertical_velocity()
    reach = max(float(np.quantile(np.abs(omega), 0.99)), 0.05)
    mappable = layers.fill(map_, omega, "signed", np.linspace(-reach, reach, 13).round(2))
    _height_lines(map_, 700)
    finish(map_, mappable, "Pa/s")


@chart(("等熵位涡和风场（320K）", "320 K Potential Vorticity and Wind"), ("320K位涡", "IPV 320K"),
       product="320k_potential_vorticity")  # fmt: skip
def potential_vorticity_320k(panel: Panel) -> None:
    map_ = open_map(panel, ANYWHERE)
    ground(map_)
    vorticity = map_.atmosphere.potential_vorticity()
    mappable = layers.fill(map_, vorticity, str(panel.pick("sequential", "height", "signed")), np.arange(0, 8.1, 0.5))
    map_.axes.contour(map_.frame.x, map_.frame.y, vorticity, [2], colors="black", linewidths=1.8, zorder=7)
    layers.wind(map_, *map_.atmosphere.wind(250))
    finish(map_, mappable, "PVU")


@chart(("850百帕气压场、风场", "850 hPa Pressure and Wind Field"), ("气压与风场（850hPa）", "Pressure/Wind 850"),
       product="850hpa_pressure_wind_field")  # fmt: skip
def pressure_wind_850(panel: Panel) -> None:
    filled = panel.chance(0.55)
    map_ = open_map(panel, ASIA, bar=filled)
    ground(map_)
    pressure = map_.atmosphere.pressure()
    mappable = layers.fill(map_, pressure, "height") if filled else None
    layers.isolines(map_, pressure, 2.5)
    layers.wind(map_, *map_.atmosphere.wind(850))
    if panel.chance(0.5):
        layers.highs_and_lows(map_, pressure)
    finish(map_, mappable, "hPa")


@chart(("850hPa温度和风场", "850 hPa Temperature and Wind"), ("850hPa温度", "t850"), elements=("temperature", "wind"))
def temperature_wind_850(panel: Panel) -> None:
    map_ = open_map(panel, ANYWHERE)
    ground(map_)
    mappable = layers.fill(map_, map_.atmosphere.temperature(850), "temperature")
    layers.wind(map_, *map_.atmosphere.wind(850))
    if panel.chance(0.4):
        _height_lines(map_, 850)
        panel.shown.add("geopotential_height")
    finish(map_, mappable, "℃")


@chart(("等压面温度", "Temperature on pressure level"), ("气温", "Temperature"), elements=("temperature",))
def temperature_level(panel: Panel) -> None:
    filled = panel.chance(0.8)
    map_ = open_map(panel, ANYWHERE, bar=filled)
    ground(map_)
    temperature = map_.atmosphere.temperature(int(panel.pick(850, 700, 500, 300)))
    mappable = layers.fill(map_, temperature, "temperature") if filled else None
    if not filled or panel.chance(0.3):
        layers.isolines(map_, temperature, 4)
    finish(map_, mappable, "℃" if panel.chance(0.7) else "K")


@chart(("高空风场", "Upper-level wind"), ("风速", "Wind speed"), elements=("wind",))
def wind_level(panel: Panel) -> None:
    filled = panel.chance(0.7)
    map_ = open_map(panel, ANYWHERE, bar=filled)
    ground(map_)
    u, v = map_.atmosphere.wind(int(panel.pick(925, 850, 700, 300)))
    mappable = layers.fill(map_, np.hypot(u, v), "wind") if filled else None
    if not filled or panel.chance(0.5):
        layers.wind(map_, u, v)
    finish(map_, mappable, "m/s")


@chart(("相对涡度", "Relative vorticity"), ("850hPa涡度", "vorticity 850"), elements=("vorticity",))
def vorticity_level(panel: Panel) -> None:
    map_ = open_map(panel, ANYWHERE)
    ground(map_)
    mappable = layers.fill(map_, map_.atmosphere.vorticity(int(panel.pick(850, 500))) * 1e5, "signed")
    finish(map_, mappable, "1e-5/s")


@chart(("水汽通量", "Moisture flux"), ("整层可降水量", "Precipitable water"), elements=("humidity",))
def moisture(panel: Panel) -> None:
    map_ = open_map(panel, ANYWHERE)
    ground(map_)
    water = map_.atmosphere.humidity() / 100 * np.clip(map_.atmosphere.temperature(850) + 22, 2, None) * 1.6
    mappable = layers.fill(map_, water, str(panel.pick("moist", "sequential", "wave")))
    if panel.chance(0.4):
        layers.wind(map_, *map_.atmosphere.wind(850))
        panel.shown.add("wind")
    finish(map_, mappable, "mm")
