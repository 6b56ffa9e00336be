"""Geostationary satellite images: infrared, visible, water vapour; windows and full disks."""

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap

from meteo_ray.drawing import fields, layers
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.frames import Frame
from meteo_ray.drawing.maps import ABROAD, ASIA, OCEANS, Map, graticule, ground, lines_over, open_map
from meteo_ray.drawing.panel import Panel

_COLD_TOPS = [
    "black",
    "#404040",
    "#909090",
    "#e0e0e0",
    "#3060d0",
    "#30c0c0",
    "#40c040",
    "#f0e040",
    "#f08020",
    "#d02020",
    "#802080",
]
_DRY_MOIST = ["#1a0f00", "#6b3a0a", "#c98a3a", "#f2e2b8", "#d8e6f0", "#6fa8dc", "#2a5fb0", "#2e8b57", "#f5f5f5"]


def _open(panel: Panel) -> Map:
    """A window of the Earth, or the whole disk as the satellite sees it (always without a colour bar's room)."""
    if not panel.chance(0.3):
        return open_map(panel, ASIA + OCEANS + ABROAD, bar=False, columns=int(panel.rng.integers(220, 330)))
    kind = "geostationary" if panel.chance(0.8) else "orthographic"
    lon = float(panel.pick(105, 123, 133, 140, 0, -75, -137))
    frame = Frame.around(kind, lon, 0.0, 60, 60, columns=280)
    axes = panel.axes(bar=False, labels=False, aspect=1)
    axes.set(xlim=(frame.x0, frame.x1), ylim=(frame.y0, frame.y1), xticks=[], yticks=[], facecolor="black")
    axes.grid(False)
    return Map(panel, axes, frame)


def _clouds(map_: Map) -> np.ndarray:
    """Cloud thickness 0..1: systems sheared by the wind, cellular convection near the equator, fine structure."""
    rng, shape = map_.panel.rng, map_.frame.shape
    km = map_.frame.width_km / shape[1]
    rows, columns = np.indices(shape)
    swirl = min(450 / km, 0.06 * shape[1])  # grid steps that the flow has carried the cloud along
    u, v = map_.atmosphere.wind(500)
    lifted = map_.atmosphere.ascent + 0.9 * fields.smooth_noise(rng, shape, max(2200 / km, 12), 2.3)
    carried = fields.sample(lifted, rows - swirl * v / 30, columns - swirl * u / 30)
    rough = fields.smooth_noise(rng, shape, max(700 / km, 10), 1.9)
    fine = fields.smooth_noise(rng, shape, max(120 / km, 4), 1.3)
    systems = np.clip(0.62 * (carried - 0.1 + 0.35 * rough), 0, 1)
    tropics = np.exp(-(((map_.atmosphere.lat - 6 * map_.atmosphere.season) / 9) ** 2))
    convection = np.clip(0.9 * tropics * (rough + 0.4 * fine - 0.2), 0, 1)
    cloud = np.clip(np.maximum(systems, convection) * (1 + 0.18 * fine), 0, 1)
    return np.maximum(cloud, _cyclone(map_)) if map_.panel.chance(0.25) else cloud


def _cyclone(map_: Map) -> np.ndarray:
    """A spiral of cloud with an eye."""
    rng, (height, width) = map_.panel.rng, map_.frame.shape
    row, column = rng.uniform(0.3, 0.7) * height, rng.uniform(0.3, 0.7) * width
    y, x = np.mgrid[0:height, 0:width]
    radius = np.hypot(y - row, x - column) / (0.09 * width)
    arms = np.cos(2 * (np.arctan2(y - row, x - column) - 1.6 * np.log(radius + 0.3)))
    return np.clip(
        np.exp(-((radius / 1.6) ** 2)) * 1.3 + 0.5 * arms * np.exp(-radius / 2) - 2 * np.exp(-((radius / 0.12) ** 2)),
        0,
        1,
    )


def _show(
    map_: Map, values: np.ndarray, colours: str | LinearSegmentedColormap, low: float, high: float
) -> ScalarMappable:
    """Paint the picture; off the disk stays black."""
    table = matplotlib.colormaps[colours] if isinstance(colours, str) else colours
    off = ~np.isfinite(map_.frame.lon)
    return map_.axes.imshow(np.ma.masked_where(off, values), extent=map_.frame.extent, origin="lower", aspect="auto",
                            cmap=table, vmin=low, vmax=high, interpolation="bilinear", zorder=2)  # fmt: skip


def _finish(map_: Map) -> None:
    if map_.panel.chance(0.75):
        lines_over(
            map_, str(map_.panel.pick("#ffff00", "#00ff00", "white", "#ff8000", "#00ffff", map_.panel.style.coast))
        )
    graticule(map_)
    map_.panel.title(map_.axes)


@chart(("红外云图", "Infrared Satellite Image"), ("FY-4B红外通道", "IR 10.8 um"), product="satellite_infrared")
def infrared(panel: Panel) -> None:
    map_ = _open(panel)
    top = map_.atmosphere.surface_temperature() - 85 * _clouds(map_) ** 1.2
    enhanced = panel.chance(0.3)
    colours = LinearSegmentedColormap.from_list("tops", _COLD_TOPS) if enhanced else "gray"
    _show(map_, -top, colours, -32, 78)
    _finish(map_)


@chart(("可见光云图", "Visible Satellite Image"), ("FY-4B可见光通道", "VIS 0.65 um"), product="satellite_visible")
def visible(panel: Panel) -> None:
    map_ = _open(panel)
    surface = np.where(map_.atmosphere.land, 0.22 + 0.02 * map_.atmosphere.noise(8, 0.05, 1.2), 0.06)
    cloud = _clouds(map_)
    texture = 0.07 * fields.smooth_noise(panel.rng, map_.frame.shape, 6, 1.0)
    sun_lon = float(np.nanmean(map_.frame.lon)) + panel.rng.uniform(-60, 60)
    sun = np.cos(np.radians(np.nan_to_num(map_.frame.lat))) * np.cos(
        np.radians((np.nan_to_num(map_.frame.lon) - sun_lon + 180) % 360 - 180)
    )
    albedo = (surface + (0.75 + texture) * cloud**0.8) * np.clip(sun * 1.3 + 0.15, 0.02, 1)
    if panel.chance(0.2):
        _true_colour(map_, albedo, cloud)
    else:
        _show(map_, albedo, "gray", 0, 0.85)
    _finish(map_)


def _true_colour(map_: Map, albedo: np.ndarray, cloud: np.ndarray) -> None:
    """Blue sea and green-brown land under white cloud."""
    ground_colour = np.where(map_.atmosphere.land[..., None], [0.42, 0.44, 0.25], [0.05, 0.12, 0.28])
    mixed = ground_colour * (1 - cloud[..., None]) + cloud[..., None]
    picture = np.clip(mixed * (0.35 + albedo[..., None]), 0, 1)
    picture[~np.isfinite(map_.frame.lon)] = 0
    map_.axes.imshow(picture, extent=map_.frame.extent, origin="lower", aspect="auto", zorder=2)


@chart(("水汽云图", "Water Vapour Satellite Image"), ("FY-4B水汽通道", "WV 6.2 um"), product="satellite_water_vapour")
def water_vapour(panel: Panel) -> None:
    map_ = _open(panel)
    shape, km = map_.frame.shape, map_.frame.width_km / map_.frame.shape[1]
    broad = fields.smooth_noise(panel.rng, shape, max(3500 / km, 20), 2.4)
    moist = 0.35 * map_.atmosphere.humidity() / 100 + 0.65 / (1 + np.exp(-1.5 * broad))
    rows, columns = np.indices(shape)
    swirl = max(1500 / km, 20)
    warp = [0.16 * swirl * fields.smooth_noise(panel.rng, shape, swirl, 3) for _ in range(2)]
    smooth = fields.sample(moist, rows + warp[0], columns + warp[1])
    value = 0.75 * smooth + 0.45 * _clouds(map_) ** 1.5
    coloured = panel.chance(0.4)
    colours = LinearSegmentedColormap.from_list("vapour", _DRY_MOIST) if coloured else "gray"
    _show(map_, value, colours, -0.1, 1.15)
    _finish(map_)


@chart(
    ("总云量", "Total Cloud Cover"), ("云顶温度", "Cloud top temperature"), ("低云量", "Low cloud"), elements=("cloud",)
)
def cloud_cover(panel: Panel) -> None:
    map_ = open_map(panel, ABROAD + ASIA)
    ground(map_)
    mappable = layers.fill(
        map_, 100 * _clouds(map_), str(panel.pick("grey", "wave", "sequential")), np.arange(10, 101, 10), above=10
    )
    lines_over(map_)
    graticule(map_)
    panel.title(map_.axes)
    panel.colour_bar(map_.axes, mappable, "%")
