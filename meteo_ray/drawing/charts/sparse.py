"""Charts on which little is drawn: a few echoes, dots, coloured numbers, small arrows, lightning."""

from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable

from meteo_ray.drawing import fields, layers, palettes
from meteo_ray.drawing.charts.general import FILLS
from meteo_ray.drawing.charts.looks import WHITE, place_map, restyled
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.frames import Frame
from meteo_ray.drawing.maps import Map, finish, graticule, ground, lines_over, open_map
from meteo_ray.drawing.panel import Panel, nice_levels

STATES = ("usa", "usa", "great_plains", "gulf_of_mexico", "taiwan", "taiwan", "south_china", "china", "japan", "europe")
_NIGHT: dict[str, Any] = {"background": "#0a0a14", "land": "#0b0b18", "ocean": "#10303c", "coast": "#a0a0a0"}
_BLACK: dict[str, Any] = {"background": "white", "land": "#3a3a3a", "ocean": "#000000", "coast": "#909090"}


@chart(("局地回波", "Radar echoes"), ("雷达三级产品", "NEXRAD level-3 product"),
       ("累积降水", "Accumulated precipitation"), weight=2)  # fmt: skip
def scattered_cells(panel: Panel) -> None:
    """Few small cells of rain or echo on outlines, with a long thin scale below."""
    look = WHITE | {"colour_bar": "bottom", "bar_fraction": 1.0, "bar_pointed": True, "borders": "same",
                    "coast_width": float(panel.rng.uniform(0.5, 1.2))}  # fmt: skip
    if panel.chance(0.2):
        look |= _NIGHT
    elif panel.chance(0.3):
        look["colour_bar"] = "right"
    with restyled(panel, **look) as plain:
        map_ = open_map(plain, STATES, columns=int(plain.rng.integers(200, 300)))
        ground(map_)
        rain = plain.chance(0.5)
        plain.shown.add("precipitation" if rain else "radar_reflectivity")
        mappable = _cells(map_, "rain" if rain else "radar")
        finish(map_, mappable, "mm" if rain else "dBZ")


def _cells(map_: Map, kind: str) -> ScalarMappable:
    """Cells in a few groups, each of a few pixels to a twentieth of the map across."""
    panel, shape = map_.panel, map_.frame.shape
    groups = fields.smooth_noise(panel.rng, shape, shape[1] / 5, 2.2)
    rough = fields.smooth_noise(panel.rng, shape, float(panel.rng.uniform(6, 22)), 1.2)
    amount = fields.patches(1.3 * groups + rough, float(panel.rng.uniform(0.008, 0.08)), 0.8)
    levels = nice_levels(0, float(panel.pick(50, 70, 150, 1200)), panel.style.levels)
    table, norm = panel.colours(kind, levels)
    cells = np.ma.masked_equal(amount, 0) * 0.8 * levels[-1]
    return map_.axes.imshow(cells, extent=map_.frame.extent, origin="lower", aspect="auto", cmap=table, norm=norm,
                            interpolation="nearest", zorder=3)  # fmt: skip


@chart(("站点要素值", "Station values"), ("观测数值", "Observed values"), weight=2)
def coloured_stations(panel: Panel) -> None:
    """Numbers or small dots coloured by their value on bare outlines, on white or on black."""
    look = WHITE | {"colour_bar": str(panel.pick("right", "right", "none", "bottom"))}
    look |= _BLACK if panel.chance(0.2) else {}
    with restyled(panel, **look) as plain:
        map_ = open_map(plain, STATES)
        ground(map_)
        element = str(plain.pick("temperature", "temperature", "precipitation", "humidity", "dew_point"))
        field = FILLS[element][0](map_)
        plain.shown.add(element)
        count = int(plain.rng.integers(150, 900))
        levels = nice_levels(float(field.min()), float(field.max()) + 1e-6, plain.style.levels)
        if plain.chance(0.45):
            mappable = _coloured_numbers(map_, field, levels, min(count, 160))
        else:
            mappable = layers.station_dots(map_, field, "temperature", levels, count)
        finish(map_, mappable, FILLS[element][2])


def _coloured_numbers(map_: Map, field: np.ndarray, levels: np.ndarray, count: int) -> ScalarMappable:
    panel = map_.panel
    x, y, rows, columns = layers.scattered(map_, count, map_.atmosphere.land)
    table, norm = panel.colours(str(panel.pick("temperature", "velocity")), levels)
    values = fields.sample(field, rows, columns)
    for place_x, place_y, value, colour in zip(x, y, values, table(norm(values)), strict=True):
        map_.axes.text(place_x, place_y, f"{value:.0f}", color=tuple(colour), fontsize=panel.style.font_size * 0.65,
                       ha="center", va="center", zorder=8, clip_on=True)  # fmt: skip
    return ScalarMappable(norm, table)


@chart(("云导风", "Derived motion winds"), ("卫星导风", "GOES derived motion winds"), elements=("wind", "satellite"),
       weight=1.4)  # fmt: skip
def motion_winds(panel: Panel) -> None:
    """Small arrows or barbs where clouds were tracked, coloured by height, on black or dark blue."""
    dark = str(panel.pick("black", "#05051a", "#0a1430"))
    look = {"land": dark, "ocean": dark, "background": str(panel.pick("white", dark)), "coast": "#b0b0b0",
            "coast_width": 0.5, "ticks": "none", "colour_bar": "none",
            "grid": str(panel.pick("none", "dotted"))}  # fmt: skip
    with restyled(panel, **look) as plain:
        map_ = open_map(plain, ("north_america", "usa", "north_atlantic", "northwest_pacific", "europe"), bar=False)
        ground(map_)
        x, y, rows, columns = layers.scattered(map_, 3000, map_.atmosphere.cloud() > plain.rng.uniform(0.6, 0.85))
        u, v = (fields.sample(part, rows, columns) for part in map_.atmosphere.wind(300))
        level = plain.rng.uniform(100, 1000, len(x))
        table = palettes.by_name(str(plain.pick("jet", "viridis", "YlGnBu", "rainbow")))
        if plain.chance(0.6) or len(x) > 400:
            map_.axes.quiver(x, y, u, v, level, cmap=table, scale=700, width=0.0026, zorder=8)
        else:
            map_.axes.barbs(x, y, u, v, level, cmap=table, length=4, linewidth=0.5, zorder=8)
        finish(map_)


@chart(("全球闪电", "Lightning on the globe"), ("闪电成像仪", "GOES GLM lightning"), elements=("lightning",), weight=1)
def lightning_globe(panel: Panel) -> None:
    """Dots of lightning in clusters over the tropics of an outlined globe."""
    with restyled(panel, **WHITE | {"grid": str(panel.pick("dashed", "dotted", "solid")), "coast_width": 0.7}) as plain:
        lon, lat = float(plain.pick(-75, -90, 105, 0, 140)), float(plain.rng.uniform(-10, 25))
        map_ = place_map(plain, Frame.around("orthographic", lon, lat, 60, 60, columns=150))
        map_.axes.axis("off")
        disk = np.isfinite(map_.frame.lon)
        map_.axes.contour(map_.frame.x, map_.frame.y, disk.astype(float), [0.5], colors="black", linewidths=0.8)
        storms = map_.atmosphere.noise(8, 0.35, 1.8) + np.exp(-((map_.atmosphere.lat / 22) ** 2))
        lively = fields.patches(np.where(disk, storms, storms.min()), 0.06) > 0.02
        x, y, _, _ = layers.scattered(map_, int(plain.rng.integers(2000, 15000)), lively)
        map_.axes.scatter(x, y, s=float(plain.rng.uniform(4, 20)),
                          color=str(plain.pick("red", "red", "#ff8000", "blue")),
                          marker=str(plain.pick("o", "+", "x", ".")), linewidths=0.5, zorder=8)  # fmt: skip
        lines_over(map_)
        graticule(map_)
        plain.title(map_.axes)


def _one_radar(panel: Panel, values: np.ndarray, table: str, low: float, high: float, label: str) -> None:
    """A sweep of one radar on plain axes in kilometres or degrees, with no coast and an upright scale."""
    axes = panel.axes(bar=True, aspect=1)
    reach = float(panel.pick(150, 230, 300, 460))
    if panel.chance(0.5):
        sides = (-reach, reach, -reach, reach)
        axes.set(xlabel="East West distance from radar (km)", ylabel="North South distance from radar (km)")
    else:
        lon, lat, half = panel.story.place.lon, panel.story.place.lat, reach / 111
        sides = (lon - half, lon + half, lat - half, lat + half)
    mesh = axes.imshow(values, extent=sides, origin="lower", aspect="auto", cmap=palettes.by_name(table), vmin=low,
                       vmax=high, interpolation="nearest")  # fmt: skip
    panel.title(axes)
    panel.figure.colorbar(mesh, ax=axes, label=label, fraction=0.06, pad=0.03)


def _disk_noise(panel: Panel, wavelength: float, slope: float) -> tuple[np.ndarray, np.ndarray]:
    """Noise on a square around the radar and the distance from it as share of the range."""
    rows, columns = np.mgrid[-1:1:260j, -1:1:260j]
    return fields.smooth_noise(panel.rng, (260, 260), wavelength, slope), np.hypot(rows, columns)


@chart(("雷达弱回波", "Radar reflectivity PPI"), ("晴空回波", "Equivalent reflectivity factor"),
       elements=("radar_reflectivity",), weight=1.4)  # fmt: skip
def few_echoes(panel: Panel) -> None:
    """Clear-air echo around the radar or a few cells, nothing else."""
    with restyled(panel, **WHITE, title="two_lines", ticks="plain", colour_bar="right", margin=1.5) as plain:
        noise, distance = _disk_noise(plain, 30, 1.3)
        nearness = 1.2 - distance / plain.rng.uniform(0.08, 0.5) if plain.chance(0.6) else -1.6 + 0 * distance
        strength = nearness + 0.8 * noise + 0.15 * plain.rng.normal(0, 1, noise.shape)
        values = np.ma.masked_where((strength < 0) | (distance > 1), -5 + 18 * strength)
        table = str(plain.pick("HomeyerRainbow", "RdYlGn_r", "jet", "gist_ncar", "viridis"))
        _one_radar(plain, values, table, -30, 75, "equivalent reflectivity factor (dBZ)")


@chart(
    ("相关系数PPI", "Cross correlation ratio"), ("双偏振产品", "Dual-pol PPI"), elements=("radar_dualpol",), weight=1.4
)
def one_colour_sweep(panel: Panel) -> None:
    """Correlation coefficient, nearly all of it close to one, or differential phase in a few broad colours."""
    with restyled(panel, **WHITE, title="two_lines", ticks="plain", colour_bar="right", margin=1.5) as plain:
        noise, distance = _disk_noise(plain, float(plain.rng.uniform(60, 160)), 1.8)
        hidden = (noise < plain.rng.uniform(-0.8, 0.3)) | (distance > 1)
        edge = np.exp(-np.clip(noise + 0.5, 0, None) * 3)
        values = np.clip(0.995 - 0.12 * edge * np.abs(plain.rng.normal(0, 1, noise.shape)), 0, 1)
        table = str(plain.pick("gist_rainbow_r", "jet", "nipy_spectral", "turbo", "HomeyerRainbow"))
        _one_radar(plain, np.ma.masked_where(hidden, values), table, 0, 1, "cross correlation ratio ()")
