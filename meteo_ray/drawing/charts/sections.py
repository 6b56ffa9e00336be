"""What instruments looking upwards see in time and height, and vertical sections along a path over terrain."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, ListedColormap

from meteo_ray.drawing import fields, palettes
from meteo_ray.drawing.charts.looks import WHITE, hour_ticks, restyled, stacked_axes
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.panel import Panel, nice_levels

LEVELS, TIMES = 72, 240
_PHASES = {
    "clear": "white", "liquid": "#ff0000", "ice": "#808080", "mixed": "#00a000", "drizzle": "#0000ff",
    "liq+driz": "#00d0d0", "rain": "#ffff00", "snow": "#c8c8c8", "unknown": "#202020",
}  # fmt: skip
# name -> its element, its colour tables, the values at the scale's ends
_MEASURED: dict[str, tuple[str, tuple[str, ...], float, float]] = {
    "reflectivity (dBZ)": ("radar_reflectivity", ("jet", "HomeyerRainbow", "turbo", "viridis"), -50.0, 20.0),
    "mean_doppler_velocity (m/s)": ("radar_velocity", ("bwr", "RdBu_r", "jet", "PiYG"), -5.0, 5.0),
    "log backscatter (sr^-1 m^-1)": ("cloud", ("jet", "viridis", "plasma", "gist_ncar", "Blues"), -8.0, -3.0),
    "relative_humidity (%)": ("humidity", ("viridis", "YlGnBu", "jet"), 0.0, 100.0),
    "temperature (degC)": ("temperature", ("jet", "plasma", "RdYlBu_r", "hot"), -60.0, 35.0),
    "number_density (1/cc)": ("cloud", ("jet", "viridis", "YlOrRd"), 0.0, 1000.0),
}


def _curtain(panel: Panel, wavelength: float, slope: float) -> np.ndarray:
    """Noise `(LEVELS, TIMES)` drawn out in height, as falling streaks are."""
    squat = fields.smooth_noise(panel.rng, (LEVELS // 3, TIMES), wavelength, slope)
    rows, columns = np.mgrid[0 : LEVELS // 3 - 1 : LEVELS * 1j, 0:TIMES]
    lean = panel.rng.uniform(-0.6, 0.6)
    return fields.sample(squat, rows, (columns + lean * rows * 3) % TIMES)


def _cloud_mask(panel: Panel) -> np.ndarray:
    """Where there is cloud: layers whose base and depth wander with time."""
    height = np.linspace(0, 1, LEVELS)[:, None]
    rough = 0.06 * _curtain(panel, 20, 1.4)
    mask = np.zeros((LEVELS, TIMES), bool)
    for base in panel.rng.uniform(0, 0.7, int(panel.rng.integers(1, 4))):
        wander = fields.smooth_noise(panel.rng, (12, TIMES), 60, 2)[0]
        depth = panel.rng.uniform(0.02, 0.3) * (1 + 0.7 * wander)
        mask |= (np.abs(height - base - 0.05 * wander) + rough) < depth / 2 + rough.mean()
    return mask


def _note_time(panel: Panel, axes: Axes, hours: float) -> None:
    hour_ticks(panel, axes, hours)
    axes.set_xlabel(str(panel.pick("Time (UTC)", "Time [UTC]", panel.words("时间", "Hour (UTC)"))))


@chart(
    ("云相态时间-高度图", "Cloud phase"), ("云分类", "cloud_phase_hsrl"), elements=("cloud",), weight=1.4, panels=False
)
def cloud_phase(panel: Panel) -> None:
    """Categories of cloud against time and height: low coloured stripes, grey above, and a legend bar."""
    with restyled(panel, **WHITE, title="bare", colour_bar="right", margin=2.0, ticks="plain") as plain:
        axes = plain.axes(bar=True)
        height = np.linspace(0, 1, LEVELS)[:, None]
        top = np.clip(0.12 + 0.06 * fields.smooth_noise(plain.rng, (12, TIMES), 8, 1.0)[0], 0.02, 0.4)
        kind = 3 + np.floor(1.5 * np.abs(_curtain(plain, 7, 1.0)) + 3 * height / top) % 5
        phase = np.where(height < top, kind, 0)
        phase = np.where(_cloud_mask(plain) & (height > 0.15) & (_curtain(plain, 5, 0.9) > -0.3), 2, phase)
        phase = np.where((height < 0.05) & (_curtain(plain, 12, 1.2) > 0), 1, phase)
        table, reach = ListedColormap(list(_PHASES.values())), float(plain.pick(24, 24, 12))
        norm = BoundaryNorm(np.arange(len(_PHASES) + 1) - 0.5, table.N)
        mesh = axes.imshow(phase, extent=(0, reach, 0, float(plain.pick(6, 10, 16))), origin="lower", aspect="auto",
                           cmap=table, norm=norm, interpolation="nearest")  # fmt: skip
        axes.set_ylabel(str(plain.pick("km", "Height (km)", "height [m]")))
        _note_time(plain, axes, reach)
        plain.title(axes)
        bar = plain.figure.colorbar(mesh, ax=axes, fraction=0.04, pad=0.02, ticks=range(len(_PHASES)))
        bar.ax.set_yticklabels(list(_PHASES), fontsize=plain.style.font_size * 0.7)


def _measured(panel: Panel, name: str) -> np.ma.MaskedArray:
    """Share of the scale `(LEVELS, TIMES)`: streaks under a ragged, speckled top, or smooth layers."""
    height = np.linspace(0, 1, LEVELS)[:, None]
    if name.startswith(("relative", "temperature")):
        slope = 0.9 - 0.8 * height if name.startswith("temp") else 0.6 - 0.2 * height
        return np.ma.masked_invalid(slope + 0.1 * fields.smooth_noise(panel.rng, (LEVELS, TIMES), 40, 2))
    if name.startswith("number"):
        return np.ma.masked_invalid(np.clip(0.4 * _curtain(panel, 9, 1.2) - 4 * height, 0.03, 1))
    top = np.clip(panel.rng.uniform(0.4, 0.95) + 0.12 * fields.smooth_noise(panel.rng, (12, TIMES), 40, 1.5)[0], 0.1, 1)
    speckle = panel.rng.random((LEVELS, TIMES)) < np.exp(-np.clip(height - top, 0, None) * 14)
    values = 0.9 - 0.6 * height / top + 0.12 * _curtain(panel, 14, 1.4) + panel.rng.normal(0, 0.03, (LEVELS, TIMES))
    if name.startswith("mean"):
        values = 0.5 + 0.35 * (values - 0.5) + 0.08 * _curtain(panel, 6, 1.2)
    hidden = ~speckle if panel.chance(0.7) else ~(_cloud_mask(panel) & speckle)
    return np.ma.masked_where(hidden, values)


@chart(
    ("垂直指向云雷达", "Vertically pointing cloud radar"),
    ("激光云高仪", "Ceilometer backscatter"),
    ("激光雷达", "Lidar and radar quicklook"),
    weight=2,
    panels=False,
)
def instrument_curtains(panel: Panel) -> None:
    """One to three panels of what radar, lidar or ceilometer measured overhead, over a shared time axis."""
    with restyled(panel, **WHITE, title="bare", margin=2.0, ticks="plain") as plain:
        rows = stacked_axes(plain, int(plain.pick(1, 2, 2, 3)), bar=True)
        reach, top = float(plain.pick(24, 24, 12, 6)), float(plain.pick(4, 8, 12, 16))
        names = plain.rng.permutation(np.array(list(_MEASURED)))
        for axes, name in zip(rows, names, strict=False):
            element, tables, low, high = _MEASURED[str(name)]
            mesh = axes.imshow(low + (high - low) * _measured(plain, str(name)), extent=(0, reach, 0, top),
                               origin="lower", aspect="auto", cmap=palettes.by_name(str(plain.pick(*tables))),
                               vmin=low, vmax=high, interpolation="nearest")  # fmt: skip
            plain.shown.add(element)
            hour_ticks(plain, axes, reach)
            axes.set_ylabel(str(plain.pick("Range (km)", "Height (km)", "height [km]")))
            axes.set_title(f"{name} {plain.story.issued:%Y%m%d}", fontsize=plain.style.font_size)
            plain.figure.colorbar(mesh, ax=axes, fraction=0.05, pad=0.02).ax.tick_params(labelsize=6)
        _note_time(plain, rows[-1], reach)


@chart(("风廓线风羽图", "Wind barbs time-height"), ("声雷达风", "Sodar wind profile"), elements=("wind",), weight=1.4)
def barb_curtain(panel: Panel) -> None:
    """Wind barbs alone against time and height or pressure, in black or coloured by speed."""
    with restyled(panel, **WHITE, title="bare", margin=2.0, ticks="plain") as plain:
        axes = plain.axes()
        across, up = int(plain.pick(16, 24, 32)), int(plain.pick(14, 20, 28))
        pressure, hours = plain.chance(0.5), float(plain.pick(24, 72, 120))
        vertical = np.linspace(1000, 100, up) if pressure else np.linspace(0, float(plain.pick(0.8, 3, 12)), up)
        turn = 1.2 * fields.smooth_noise(plain.rng, (up, across), 12, 2.2) + plain.rng.uniform(0, 6)
        speed = np.abs(6 + np.linspace(0, 20, up)[:, None] + 5 * fields.smooth_noise(plain.rng, (up, across), 10, 2))
        times = np.linspace(0.03 * hours, 0.97 * hours, across)
        changes: dict[str, Any] = {"length": 5, "linewidth": 0.6}
        grid = np.meshgrid(times, vertical)
        if plain.chance(0.65):
            axes.barbs(*grid, speed * np.cos(turn), speed * np.sin(turn), **changes)
        else:
            axes.barbs(*grid, speed * np.cos(turn), speed * np.sin(turn), speed, cmap="jet", **changes)
        axes.set_ylim(*((1020, 80) if pressure else (0, vertical[-1] * 1.05)))
        axes.set_ylabel("(hPa)" if pressure else plain.words("高度 (km)", "Height (km)"))
        _note_time(plain, axes, hours)
        plain.title(axes)


def _along_path(panel: Panel, kind: str) -> tuple[np.ndarray, str, str, str]:
    """A field `(LEVELS, TIMES)` along the path, its element, its colours and its unit."""
    height = np.linspace(0, 12, LEVELS)[:, None]
    smooth = fields.smooth_noise(panel.rng, (LEVELS, TIMES), 50, 2.2)
    if kind == "reflectivity":
        towers = fields.patches(
            fields.smooth_noise(panel.rng, (12, TIMES), 40, 2)[0], float(panel.rng.uniform(0.2, 0.6))
        )
        echo = 62 * towers**0.6 * np.exp(-((height / (4 + 7 * towers)) ** 3)) + 3 * _curtain(panel, 12, 1.5) - 3
        return np.where(echo > 5, echo, np.nan), "radar_reflectivity", "radar", "dBZ"
    if kind == "concentration":
        plume = np.exp(-height / panel.rng.uniform(1, 4)) * (
            1 + 0.6 * fields.smooth_noise(panel.rng, (12, TIMES), 70, 2)[0]
        )
        return (
            np.clip(90 * plume + 12 * smooth, 0, None),
            "air_quality",
            str(panel.pick("pollution", "temperature")),
            "ug/m3",
        )
    if kind == "humidity":
        return np.clip(75 - 4 * height + 18 * smooth, 0, 100), "humidity", "moist", "%"
    if kind == "wind":
        return np.abs(5 + 3 * height + 5 * smooth), "wind", "wind", "m/s"
    return 24 - 6.3 * height + 2 * smooth, "temperature", "temperature", "degC"


@chart(("沿程垂直剖面", "Cross-section"), ("地形剖面", "Vertical section along path"),
       ("污染物剖面", "Cross-Section of PM2.5 (ug/m3)"), weight=2)  # fmt: skip
def path_section(panel: Panel) -> None:
    """Height against distance over brown or black terrain: echoes, concentration, temperature, often with wind."""
    with restyled(panel, **WHITE, title="centre", colour_bar="right", margin=2.0, ticks="plain") as plain:
        axes = plain.axes(bar=True)
        kind = str(plain.pick("reflectivity", "reflectivity", "concentration", "concentration", "temperature",
                              "humidity", "wind"))  # fmt: skip
        values, element, colours, unit = _along_path(plain, kind)
        distance, height = np.linspace(0, float(plain.pick(60, 200, 800)), TIMES), np.linspace(0, 12, LEVELS)
        mesh = _paint_section(plain, axes, distance, height, values, colours)
        plain.shown.add(element)
        if plain.chance(0.45):
            _section_wind(plain, axes, distance, height)
        _terrain(plain, axes, distance)
        axes.set(xlim=(distance[0], distance[-1]), ylim=(0, float(plain.pick(4, 8, 12))))
        axes.set_xlabel(str(plain.pick("Distance (km)", "Latitude, Longitude", "Y [km]")))
        axes.set_ylabel(str(plain.pick("Height (km)", "Z [km]", "Height (m)")))
        plain.title(axes)
        plain.colour_bar(axes, mesh, unit)


def _paint_section(
    panel: Panel, axes: Axes, distance: np.ndarray, height: np.ndarray, values: np.ndarray, kind: str
) -> ScalarMappable:
    levels = nice_levels(float(np.nanmin(values)), float(np.nanmax(values)), panel.style.levels)
    table, norm = panel.colours(kind, levels)
    field = np.ma.masked_invalid(values)
    if panel.chance(0.65):
        return axes.contourf(distance, height, field, levels, cmap=table, norm=norm)
    coarse = int(panel.pick(1, 2, 4))
    return axes.pcolormesh(distance[::coarse], height[::coarse], field[::coarse, ::coarse], cmap=table, norm=norm,
                           shading="nearest")  # fmt: skip


def _section_wind(panel: Panel, axes: Axes, distance: np.ndarray, height: np.ndarray) -> None:
    along = 9 + 5 * fields.smooth_noise(panel.rng, (LEVELS, TIMES), 60, 2.2)[::5, ::12]
    upward = 3 * fields.smooth_noise(panel.rng, (LEVELS, TIMES), 40, 2.2)[::5, ::12]
    if panel.chance(0.6):
        axes.quiver(distance[::12], height[::5], along, upward, width=0.002, zorder=6)
    else:
        axes.barbs(distance[::12], height[::5], along, upward, length=5, linewidth=0.5, zorder=6)
    panel.shown.add("wind")


def _terrain(panel: Panel, axes: Axes, distance: np.ndarray) -> None:
    """Hills filled at the foot of the section."""
    hills = fields.smooth_noise(panel.rng, (12, TIMES), 90, 1.8)[0]
    peak = np.exp(-(((np.linspace(0, 1, TIMES) - panel.rng.uniform(0.2, 0.8)) / panel.rng.uniform(0.08, 0.25)) ** 2))
    top = np.clip(0.25 + 0.15 * hills + panel.rng.uniform(0, 3) * peak * (1 + 0.15 * hills), 0.02, None)
    axes.fill_between(distance, 0, top, color=str(panel.pick("#8b4513", "#8b4513", "#8b5a2b", "black", "#606060")),
                      zorder=8)  # fmt: skip
