"""Waves and sea temperature."""

import numpy as np

from meteo_ray.drawing import layers
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.maps import OCEANS, Map, finish, ground, open_map
from meteo_ray.drawing.panel import Panel

_LANDS = ("#d9d9d9", "#f3efe2", "#c8c8c8", "#e6d8b0", "white", "#b8b8b8")


def _sea_map(panel: Panel) -> Map:
    map_ = open_map(panel, OCEANS)
    ground(map_, land=str(panel.pick(*_LANDS)))
    return map_


def _wave_height(map_: Map) -> np.ndarray:
    """Metres: a fully developed sea of the local wind, 0.0246 U^2 (Pierson-Moskowitz), with swell."""
    speed = np.hypot(*map_.atmosphere.surface_wind())
    swell = np.clip(1.2 + 0.5 * map_.atmosphere.noise(8), 0.3, None)
    height = np.sqrt((0.0246 * speed**2) ** 2 + swell**2).clip(0, 14)
    return np.where(map_.atmosphere.land, np.nan, height)


@chart(("有效波高和海面风", "Significant Wave Height and Wind"), ("近海海浪预报", "Hs and 10 m wind"),
       product="significant_wave_height")  # fmt: skip
def wave_and_wind(panel: Panel) -> None:
    map_ = _sea_map(panel)
    height = _wave_height(map_)
    levels = np.array([0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8])
    mappable = layers.fill(map_, height, "wave", levels if np.nanmax(height) > 3 else None)
    layers.wind(map_, *map_.atmosphere.surface_wind(), where=~map_.atmosphere.land)
    if panel.chance(0.3):
        layers.isolines(map_, np.nan_to_num(height), 1, width=0.6)
    finish(map_, mappable, "m")


@chart(("有效波高", "Significant wave height"), ("平均波周期", "Mean wave period"), elements=("ocean_wave",))
def wave_height(panel: Panel) -> None:
    map_ = _sea_map(panel)
    height = _wave_height(map_)
    period = panel.chance(0.3)
    mappable = layers.fill(map_, 3 + 3.2 * np.sqrt(height) if period else height, "wave")
    if panel.chance(0.5):  # direction of travel, roughly with the wind
        layers.wind(map_, *map_.atmosphere.surface_wind(), where=~map_.atmosphere.land, manner="arrows")
    finish(map_, mappable, "s" if period else "m")


@chart(("海表温度", "Sea Surface Temperature"), ("海温", "SST"), ("海表温度距平", "SST anomaly"),
       product="sea_surface_temperature")  # fmt: skip
def sea_temperature(panel: Panel) -> None:
    map_ = _sea_map(panel)
    air = map_.atmosphere
    eddies = 0.9 * air.noise(8, 0.12, 2.0) + 0.8 * air.noise(9, 0.4, 2.5)
    anomaly = "距平" in panel.names[0]
    warm = 15 + 14 * air.meridional() + 2 * air.season * np.where(air.lat < 0, -1, 1)
    temperature = eddies * 1.2 if anomaly else np.clip(warm + eddies, -1.8, 32)
    mappable = layers.fill(map_, np.where(air.land, np.nan, temperature), "signed" if anomaly else "temperature")
    if panel.chance(0.35):
        layers.isolines(map_, temperature, 0.5 if anomaly else 2, width=0.5)
    finish(map_, mappable, "℃")
