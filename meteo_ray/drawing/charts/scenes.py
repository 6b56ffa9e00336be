"""Dark pictures: wind in light streamlines, the Earth's disk or a cut of it in viridis or greys, twilight scenes."""

from dataclasses import replace
from typing import Any

import numpy as np

from meteo_ray.drawing import fields, layers, palettes
from meteo_ray.drawing.charts.looks import BLEED, filaments, place_map, restyled
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.frames import Frame
from meteo_ray.drawing.maps import ABROAD, ASIA, OCEANS, Map, lines_over, open_map
from meteo_ray.drawing.panel import Panel

_DARK: dict[str, Any] = BLEED | {"borders": "thin", "coast_width": 0.7, "logo": False}


@chart(("风场动画", "Animated wind"), ("流场", "Wind streamlines"), elements=("wind",), weight=1.8)
def flow_on_dark(panel: Panel) -> None:
    """Many light streamlines over dark blue and green speed, as animated wind maps show them."""
    look = _DARK | {"coast": str(panel.pick("white", "#e0e0e0", "#909090")), "background": "#101830"}
    with restyled(panel, **look) as plain:
        map_ = open_map(plain, (*ASIA, *OCEANS, *ABROAD, "taiwan", "taiwan"), bar=False)
        u, v = map_.atmosphere.wind(int(plain.pick(1000, 850, 500)))
        speed = np.hypot(u, v)
        table = palettes.by_name(str(plain.pick("viridis", "ocean", "GnBu_r", "YlGnBu_r")))
        map_.axes.imshow(speed, extent=map_.frame.extent, origin="lower", aspect="auto", cmap=table, vmin=0,
                         vmax=1.6 * float(speed.max()), alpha=0.9, interpolation="bilinear", zorder=2)  # fmt: skip
        colour = str(plain.pick("#d0e8d0", "#b0d0f0", "#a8e0c0", "white"))
        layers.streamlines(map_, u, v, colour, seeds=int(plain.rng.integers(500, 1400)))
        lines_over(map_)


def _brightness(map_: Map) -> np.ndarray:
    """What a visible channel sees, 0..1: rough cloud over dark sea and a little lighter land."""
    rng, shape = map_.panel.rng, map_.frame.shape
    threads = filaments(rng, shape)
    fine = fields.smooth_noise(rng, shape, 9, 1.1)
    cloud = np.clip(0.4 * map_.atmosphere.cloud() + 0.35 * threads + 0.06 * fine - 0.1, 0, 1) ** 1.3
    return np.where(map_.atmosphere.land, 0.17, 0.06) + 0.02 * fine * (cloud > 0) + 1.1 * cloud


def _disk_frame(panel: Panel, columns: int) -> Frame:
    """The Earth from a geostationary satellite: the whole of it, or a rectangle that may reach past the limb."""
    lon = float(panel.pick(-75, -137, 105, 133, 140, 0))
    whole = Frame.around("geostationary", lon, 0.0, 60, 60, columns=columns)
    if panel.chance(0.4):
        return whole
    half = float(panel.rng.uniform(0.25, 0.6)) * whole.x1
    x, y = panel.rng.uniform(-0.7, 0.7, 2) * whole.x1
    aspect = float(panel.rng.uniform(0.8, 1.6))
    return replace(
        whole,
        x0=x - half * aspect,
        x1=x + half * aspect,
        y0=y - half,
        y1=y + half,
        shape=(round(columns / aspect), columns),
    )


@chart(("卫星圆盘图", "Full disk reflectance"), ("卫星通道", "GOES ABI reflectance"), elements=("satellite", "cloud"),
       weight=1.8)  # fmt: skip
def coloured_disk(panel: Panel) -> None:
    """The Earth's disk or its sector in viridis or greys with white coasts, on black or white paper."""
    paper = str(panel.pick("black", "white", "white"))
    coast = str(panel.pick("white", "white", "#80c0ff", "#ffff00"))
    look = _DARK | {"coast": coast, "background": paper, "margin": float(panel.pick(0, 2)),
                    "title": str(panel.pick("none", "bare"))}  # fmt: skip
    with restyled(panel, **look) as plain:
        map_ = place_map(plain, _disk_frame(plain, 260))
        map_.axes.axis("off")
        seen = np.ma.masked_where(~np.isfinite(map_.frame.lon), _brightness(map_))
        table = str(plain.pick("viridis", "viridis", "viridis", "gray", "plasma", "gray_r"))
        map_.axes.imshow(seen, extent=map_.frame.extent, origin="lower", aspect="auto", cmap=table, vmin=0,
                         vmax=float(plain.rng.uniform(0.7, 1.2)), interpolation="bilinear", zorder=2)  # fmt: skip
        lines_over(map_)
        plain.title(map_.axes)


@chart(("可见光云图扇区", "Visible satellite sector"), ("可见光", "GOES east visible"), product="satellite_visible",
       weight=1)  # fmt: skip
def visible_sector(panel: Panel) -> None:
    """A sector in greys whose edges are curved on black, sometimes at dusk when hardly anything is lit."""
    look = _DARK | {"background": "black", "coast": "#707070"}
    with restyled(panel, **look) as plain:
        map_ = open_map(plain, ("north_america", "usa", "east_asia", "europe", "australia"), bar=False, columns=240)
        lon, lat = map_.frame.lonlat
        seen = np.clip(_brightness(map_), 0, 1) * _daylight(plain, map_.frame.shape)
        across, up = lon - float(np.nanmean(lon)), lat - float(np.nanmean(lat))
        reach = plain.rng.uniform(0.6, 1.3, 2) * np.nanmax(np.abs(across)), plain.rng.uniform(0.6, 1.1) * np.nanmax(up)
        slant = plain.rng.uniform(-0.25, 0.25)
        outside = (np.abs(across + slant * up) > reach[0].mean()) | (np.abs(up - 0.1 * slant * across) > reach[1])
        map_.axes.imshow(np.where(outside, 0, seen), extent=map_.frame.extent, origin="lower", aspect="auto",
                         cmap="gray", vmin=0, vmax=1, interpolation="bilinear", zorder=2)  # fmt: skip
        if plain.chance(0.4):
            lines_over(map_)


def _daylight(panel: Panel, shape: tuple[int, int]) -> np.ndarray:
    """Even light by day; near dusk a dim gradient across the picture."""
    if panel.chance(0.6):
        return np.full(shape, panel.rng.uniform(0.6, 0.95))
    rows, columns = np.mgrid[0 : 1 : shape[0] * 1j, 0 : 1 : shape[1] * 1j]
    bearing = panel.rng.uniform(0, 2 * np.pi)
    slope = (rows - 0.5) * np.sin(bearing) + (columns - 0.5) * np.cos(bearing)
    return np.clip(0.25 + 0.6 * slope, 0.03, 1)
