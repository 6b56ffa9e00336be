"""Charts of the surface: analysis with fronts, temperature, dew point, wind, soil, radiation, sea-level pressure."""

import numpy as np

from meteo_ray.drawing import layers
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.fronts import draw_front, front_through_low
from meteo_ray.drawing.maps import ANYWHERE, ASIA, NATION, PROVINCES, Map, finish, ground, open_map
from meteo_ray.drawing.panel import Panel, nice_levels


def _weather_map(panel: Panel, regions: tuple[str, ...] = NATION * 2 + PROVINCES, bar: bool = True) -> Map:
    map_ = open_map(panel, regions, bar=bar)
    ground(map_)
    return map_


def _inside_china(map_: Map) -> bool:
    """Whether to cut the fill at the border: only where the country is what the map is about."""
    return bool(map_.china.mean() > 0.25 and map_.panel.chance(0.5))


@chart(("地面分析图", "Surface Analysis"), ("海平面气压分析", "Surface Weather Map"), product="surface_analysis")
def surface_analysis(panel: Panel) -> None:
    map_ = open_map(panel, ASIA * 2 + ("northwest_pacific", "europe", "north_america", "north_atlantic"), bar=False)
    ground(map_)
    pressure = map_.atmosphere.pressure()
    layers.isolines(map_, pressure, float(panel.pick(2.5, 4, 5)))
    layers.highs_and_lows(map_, pressure)
    temperature = map_.atmosphere.temperature(850)
    for number in range(int(panel.rng.integers(2, 5))):
        path = front_through_low(map_, temperature, pressure, number)
        kind = ("cold", "warm", "stationary", "occluded")[number % 4 if number < 2 else int(panel.rng.integers(4))]
        draw_front(map_, path, kind)
    if panel.chance(0.25):
        layers.wind(map_, *map_.atmosphere.surface_wind())
        panel.shown.add("wind")
    finish(map_)


@chart(("海平面气压场", "Mean Sea Level Pressure"), ("海平面气压", "mslp"), elements=("pressure",))
def sea_level_pressure(panel: Panel) -> None:
    filled = panel.chance(0.5)
    map_ = _weather_map(panel, ANYWHERE, bar=filled)
    pressure = map_.atmosphere.pressure()
    mappable = layers.fill(map_, pressure, "height") if filled else None
    layers.isolines(map_, pressure, 4)
    if panel.chance(0.5):
        layers.highs_and_lows(map_, pressure)
    if panel.chance(0.4):
        layers.wind(map_, *map_.atmosphere.surface_wind())
        panel.shown.add("wind")
    finish(map_, mappable, "hPa")


@chart(
    ("2米最大风", "24 h Maximum Wind at 2 m"), ("全国极大风速", "Max wind near ground"), product="24h_cn_2m_max_wind"
)
def max_wind(panel: Panel) -> None:
    map_ = _weather_map(panel)
    u, v = map_.atmosphere.surface_wind()
    speed = np.hypot(u, v) * 1.7 + 1
    if panel.chance(0.25):
        mappable = layers.station_dots(map_, speed, "wind", np.array([0, 3.4, 5.5, 8, 10.8, 13.9, 17.2, 20.8]), 700)
    else:
        mappable = layers.fill(map_, speed, "wind", np.array([0, 1.6, 3.4, 5.5, 8, 10.8, 13.9, 17.2, 20.8, 24.5]),
                               china_only=_inside_china(map_))  # fmt: skip
    if panel.chance(0.3):
        layers.wind(map_, u, v, where=map_.china if map_.china.any() else None)
    if panel.style.stations:
        layers.places(map_, speed)
    finish(map_, mappable, "m/s")


@chart(
    ("全国最高气温预报", "24 h Maximum Temperature Forecast"), ("最高气温", "Tmax"), product="24h_cn_max_temperature"
)
def max_temperature(panel: Panel) -> None:
    map_ = _weather_map(panel)
    temperature = map_.atmosphere.surface_temperature() + 4
    levels = np.arange(-32, 45, 4) if panel.chance(0.5) else None
    mappable = layers.fill(map_, temperature, "temperature", levels, china_only=_inside_china(map_))
    if panel.chance(0.35):
        layers.isolines(map_, temperature, 4, width=0.5)
    if panel.style.stations or panel.chance(0.2):
        layers.places(map_, temperature)
    finish(map_, mappable, "℃")


@chart(
    ("24小时变温", "24 h Temperature Change (observed)"),
    ("日平均气温变化", "dT24"),
    product="24h_cn_temperature_change",
)
def temperature_change(panel: Panel) -> None:
    map_ = _weather_map(panel)
    change = 4.5 * map_.atmosphere.anomalies[0] - 1 + 1.2 * map_.atmosphere.ascent
    levels = np.array([-16, -12, -10, -8, -6, -4, -2, 0, 2, 4, 6, 8, 10, 12])
    if panel.chance(0.3):
        mappable = layers.station_dots(map_, change, "signed", levels, 900)
    else:
        mappable = layers.fill(map_, change, "signed", levels, china_only=_inside_china(map_))
    if panel.chance(0.3):
        layers.isolines(map_, change, 2, width=0.5)
    finish(map_, mappable, "℃")


@chart(("2米露点温度", "2 m Dew Point Temperature"), ("地面露点", "dewpoint"), product="2m_dew_point")
def dew_point(panel: Panel) -> None:
    map_ = _weather_map(panel, NATION + PROVINCES + ("usa", "europe", "east_asia"))
    dew = map_.atmosphere.surface_dew_point()
    levels = np.arange(-40, 29, 4) if panel.chance(0.5) else None
    mappable = layers.fill(map_, dew, str(panel.pick("moist", "moist", "temperature", "height")), levels,
                           china_only=_inside_china(map_))  # fmt: skip
    if panel.chance(0.35):
        layers.isolines(map_, dew, 4, width=0.6)
    finish(map_, mappable, "℃")


@chart(("2米气温", "2 m Temperature"), ("地面气温", "t2m"), ("气温", "Temperature [degC]"), elements=("temperature",))
def temperature_2m(panel: Panel) -> None:
    map_ = _weather_map(panel, ANYWHERE)
    mappable = layers.fill(map_, map_.atmosphere.surface_temperature(), "temperature")
    if panel.chance(0.35):
        layers.wind(map_, *map_.atmosphere.surface_wind())
        panel.shown.add("wind")
    if panel.chance(0.2):
        layers.isolines(map_, map_.atmosphere.pressure(), 4)
        panel.shown.add("pressure")
    finish(map_, mappable, "℃")


@chart(("10米风场", "10 m Wind"), ("地面风场", "wind10m"), elements=("wind",))
def wind_10m(panel: Panel) -> None:
    map_ = _weather_map(panel, ANYWHERE)
    u, v = map_.atmosphere.surface_wind()
    mappable = layers.fill(map_, np.hypot(u, v), "wind", above=panel.pick(None, None, 6.0))
    layers.wind(map_, u, v)
    finish(map_, mappable, "m/s")


@chart(("相对湿度", "Relative Humidity"), ("2米相对湿度", "rh2m"), elements=("humidity",))
def humidity_2m(panel: Panel) -> None:
    map_ = _weather_map(panel, ANYWHERE)
    mappable = layers.fill(map_, map_.atmosphere.surface_humidity(), "moist", np.arange(0, 101, 10))
    finish(map_, mappable, "%")


@chart(("地面太阳总辐射", "Surface Solar Radiation"), ("太阳辐射日曝辐量", "Global horizontal irradiance"),
       product="solar_radiation")  # fmt: skip
def solar_radiation(panel: Panel) -> None:
    map_ = _weather_map(panel, NATION * 2 + PROVINCES + ("europe", "africa", "usa"))
    sun = np.cos(np.radians(map_.atmosphere.lat - 15 * map_.atmosphere.season)).clip(0.05)
    radiation = 950 * sun * (1 - 0.7 * map_.atmosphere.cloud() ** 1.4)
    per_day = panel.chance(0.4)
    mappable = layers.fill(map_, radiation * (0.028 if per_day else 1), str(panel.pick("sequential", "temperature")),
                           china_only=_inside_china(map_))  # fmt: skip
    finish(map_, mappable, "MJ/m²" if per_day else "W/m²")


@chart(("10~20cm土壤相对湿度监测", "Soil Moisture and Drought"), ("土壤墒情", "Soil moisture 0-10 cm"),
       product="soil_moisture_drought")  # fmt: skip
def soil_moisture(panel: Panel) -> None:
    map_ = _weather_map(panel)
    moisture = np.clip(58 + 16 * map_.atmosphere.ascent + 10 * map_.atmosphere.noise(8, 0.3, 1.6), 5, 110)
    moisture = np.where(map_.atmosphere.land, moisture, np.nan)
    levels = np.array([0, 30, 40, 50, 60, 70, 80, 90, 110])
    if panel.chance(0.35):
        mappable = layers.station_dots(map_, np.nan_to_num(moisture, nan=60), "drought", levels, 900)
    else:
        mappable = layers.fill(map_, moisture, "drought", levels, china_only=_inside_china(map_))
    finish(map_, mappable, "%")


@chart(("对流有效位能CAPE", "CAPE Forecast"), ("不稳定能量", "Most-unstable CAPE"), product="cape_forecast")
def cape(panel: Panel) -> None:
    map_ = _weather_map(panel, ASIA + PROVINCES + ("usa", "europe", "great_plains"))
    levels = np.array([100, 250, 500, 1000, 1500, 2000, 2500, 3000, 4000])
    energy = map_.atmosphere.cape()
    mappable = layers.fill(map_, energy, str(panel.pick("sequential", "radar", "temperature")), levels, above=100)
    if panel.chance(0.25):
        layers.wind(map_, *map_.atmosphere.wind(850))
        panel.shown.add("wind")
    finish(map_, mappable, "J/kg")


@chart(("K指数", "K Index"), ("抬升指数", "Lifted Index"), elements=("instability",))
def stability_index(panel: Panel) -> None:
    map_ = _weather_map(panel, ANYWHERE)
    index = 24 + 9 * map_.atmosphere.noise(5, 0.5, 2.2) + 6 * map_.atmosphere.meridional()
    mappable = layers.fill(map_, index, str(panel.pick("sequential", "height", "signed")))
    finish(map_, mappable, "K" if panel.style.chinese else "K index")


@chart(("零度层高度", "Freezing Level Height"), ("0℃层高度", "0 C isotherm height"), product="freezing_level_height")
def freezing_level(panel: Panel) -> None:
    map_ = _weather_map(panel, ANYWHERE)
    height = map_.atmosphere.freezing_level()
    mappable = layers.fill(map_, height, "height", nice_levels(0, float(np.nanmax(height)), panel.style.levels))
    if panel.chance(0.6):
        layers.isolines(map_, height, 500, width=0.6)
    finish(map_, mappable, "m")
