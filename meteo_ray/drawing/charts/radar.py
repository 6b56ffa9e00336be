"""Weather radar: sweeps of one radar (PPI), their velocity and dual-polarisation siblings, mosaics, RHI."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import to_rgb

from meteo_ray.drawing import fields, layers
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.maps import NATION, PROVINCES, Map, finish, ground, open_map
from meteo_ray.drawing.panel import Panel

DBZ = np.arange(5, 71, 5)
RADIALS, GATES = 360, 230


def _echo(rng: np.random.Generator, size: int = 240) -> np.ndarray:
    """Reflectivity `(size, size)` in dBZ on a square around the radar: showers or a squall line in stratiform rain."""
    cells = fields.smooth_noise(rng, (size, size), rng.uniform(14, 40), 1.7)
    broad = fields.smooth_noise(rng, (size, size), size * rng.uniform(0.3, 0.7), 2.5)
    if rng.random() < 0.4:  # a squall line: a band across the picture
        y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
        angle = rng.uniform(0, np.pi)
        across = x * np.cos(angle) + y * np.sin(angle) - rng.uniform(-0.4, 0.4) - 0.25 * (x * np.sin(angle)) ** 2
        broad = broad * 0.5 + 2.5 * np.exp(-((across / 0.18) ** 2)) - 0.8
    fine = rng.normal(0, 1.2, (size, size))
    return 14 + 9 * cells + 15 * broad + fine


def _polar(rng: np.random.Generator, square: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sample the square along the beam: values `(RADIALS, GATES)` and the edges' x, y as shares of the range."""
    half = square.shape[0] / 2
    azimuth = np.radians(np.arange(RADIALS + 1) * 360 / RADIALS)
    distance = np.linspace(0.01, 1, GATES + 1)
    centre_a, centre_d = azimuth[:-1, None] + np.pi / RADIALS, (distance[:-1] + distance[1:]) / 2
    rows, columns = half + half * centre_d * np.cos(centre_a), half + half * centre_d * np.sin(centre_a)
    values = fields.sample(square, rows, columns)
    return values, np.sin(azimuth)[:, None] * distance, np.cos(azimuth)[:, None] * distance


def _weakened(rng: np.random.Generator, echo: np.ndarray) -> np.ndarray:
    """What the radar sees of the echo: the beam overshoots far away, hills block sectors, clutter glows nearby."""
    distance = np.linspace(0, 1, GATES)
    seen = echo - 9 * distance**2
    for start in rng.integers(0, RADIALS, int(rng.integers(0, 4))):
        seen[start : start + int(rng.integers(2, 9)), int(rng.integers(10, 120)) :] -= 25
    clutter = rng.random((RADIALS, GATES)) < 0.25 * np.exp(-distance * 22)
    return np.where(clutter, np.maximum(seen, rng.uniform(5, 45, seen.shape)), seen)


def _sweep_axes(panel: Panel) -> tuple[Axes, float]:
    """Axes with range rings in kilometres; the radar is at the origin."""
    axes = panel.axes(bar=True, labels=panel.style.ticks != "none", aspect=1)
    reach = float(panel.pick(115, 150, 230, 230, 300, 460))
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach))
    axes.set_facecolor(str(panel.pick("black", "white", "white", "#d8d8d8")))
    axes.grid(False)
    if panel.style.ticks == "none":
        axes.set(xticks=[], yticks=[])
    return axes, reach


def _rings(panel: Panel, axes: Axes, reach: float) -> None:
    colour = "white" if sum(to_rgb(axes.get_facecolor())) < 1.5 else str(panel.pick("#555555", "#888888", "black"))
    angle = np.linspace(0, 2 * np.pi, 121)
    step = next(s for s in (25, 50, 100) if reach / s < 7)
    for radius in np.arange(step, reach + 1, step).tolist():
        axes.plot(radius * np.sin(angle), radius * np.cos(angle), color=colour, linewidth=0.6, zorder=5)
        axes.text(0, radius, f"{radius:g}", fontsize=panel.style.font_size * 0.65, color=colour, zorder=5, clip_on=True)
    for bearing in np.radians(np.arange(0, 180, float(panel.pick(30, 45, 90)))):
        ends = np.array([-reach, reach])
        axes.plot(ends * np.sin(bearing), ends * np.cos(bearing), color=colour, linewidth=0.5, zorder=5)


def _sweep(
    panel: Panel, values: np.ndarray, x: np.ndarray, y: np.ndarray, kind: str, levels: np.ndarray, unit: str
) -> None:
    axes, reach = _sweep_axes(panel)
    colours, norm = panel.colours(kind, levels)
    mesh = axes.pcolormesh(x * reach, y * reach, values, cmap=colours, norm=norm, rasterized=True, zorder=2)
    if panel.chance(0.8):
        _rings(panel, axes, reach)
    _range_notes(panel, axes)
    panel.title(axes)
    panel.colour_bar(axes, mesh, unit)


def _range_notes(panel: Panel, axes: Axes) -> None:
    """The block of scan facts that radar products print beside the picture."""
    if not panel.chance(0.35):
        return
    station, elevation = f"Z9{panel.rng.integers(100, 999)}", panel.pick(0.5, 1.5, 2.4, 3.4)
    lines = (
        f"{panel.words('站号', 'Station')}: {station}",
        f"{panel.words('仰角', 'Elevation')}: {elevation}°",
        f"{panel.words('时间', 'Time')}: {panel.story.issued:%Y-%m-%d %H:%M}",
        f"VCP: {panel.pick(21, 11, 31)}",
    )
    axes.text(
        0.985,
        0.985,
        "\n".join(lines),
        transform=axes.transAxes,
        ha="right",
        va="top",
        zorder=9,
        color="black",
        fontsize=panel.style.font_size * 0.7,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
    )


@chart(
    ("基本反射率", "Base Reflectivity PPI"),
    ("雷达回波（0.5°仰角）", "Reflectivity 0.5 deg"),
    product="radar_ppi_reflectivity",
)
def ppi_reflectivity(panel: Panel) -> None:
    echo, x, y = _polar(panel.rng, _echo(panel.rng))
    echo = _weakened(panel.rng, echo)
    _sweep(panel, np.ma.masked_less(echo, 5), x, y, "radar", DBZ, "dBZ")


@chart(("径向速度", "Radial Velocity PPI"), ("基本速度", "Doppler velocity"), product="radar_ppi_velocity")
def ppi_velocity(panel: Panel) -> None:
    echo, x, y = _polar(panel.rng, _echo(panel.rng))
    distance, azimuth = np.linspace(0, 1, GATES), np.radians(np.arange(RADIALS))[:, None]
    # Wind turning and strengthening with the beam's height gives the S-shaped zero line.
    bearing = panel.rng.uniform(0, 2 * np.pi) + panel.rng.uniform(-1.2, 1.2) * distance
    speed = panel.rng.uniform(8, 16) + panel.rng.uniform(5, 22) * distance
    velocity = speed * np.cos(azimuth - bearing) + panel.rng.normal(0, 0.7, echo.shape)
    nyquist = float(panel.pick(20, 26, 27, 32))
    folded = (velocity + nyquist) % (2 * nyquist) - nyquist
    levels = np.linspace(-nyquist, nyquist, 15).round()
    _sweep(panel, np.ma.masked_where(_weakened(panel.rng, echo) < 3, folded), x, y, "velocity", levels, "m/s")


@chart(
    ("差分反射率", "Differential Reflectivity ZDR"), ("双偏振ZDR", "ZDR PPI"), product="radar_differential_reflectivity"
)
def ppi_differential(panel: Panel) -> None:
    echo, x, y = _polar(panel.rng, _echo(panel.rng))
    zdr = 0.3 + 0.055 * np.clip(echo - 15, 0, 45) + panel.rng.normal(0, 0.35, echo.shape)
    zdr -= 1.2 * (np.linspace(0, 1, GATES) > panel.rng.uniform(0.5, 0.9))  # above the melting layer drops are ice
    levels = np.array([-4, -2, -1, -0.5, 0, 0.25, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5])
    hidden = _weakened(panel.rng, echo) < 4
    _sweep(panel, np.ma.masked_where(hidden, zdr), x, y, str(panel.pick("radar", "height", "velocity")), levels, "dB")


@chart(
    ("相关系数", "Correlation Coefficient"), ("差分相移率", "Specific Differential Phase"), elements=("radar_dualpol",)
)
def ppi_correlation(panel: Panel) -> None:
    echo, x, y = _polar(panel.rng, _echo(panel.rng))
    value = np.clip(
        1 - np.abs(panel.rng.normal(0, 0.012, echo.shape)) - 0.25 * np.exp(-np.clip(echo, 0, 60) / 6), 0.2, 1
    )
    levels = np.array([0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99, 1])
    _sweep(panel, np.ma.masked_where(echo < 0, value), x, y, str(panel.pick("radar", "height")), levels, "")


def _mosaic(map_: Map) -> ScalarMappable:
    rain = map_.atmosphere.rain(float(map_.panel.rng.uniform(0.15, 0.4)), 1.25)
    echo = np.where(rain > 0, 8 + 60 * rain**0.7 + map_.panel.rng.normal(0, 2, rain.shape), -10)
    return layers.fill(map_, echo, "radar", DBZ, above=5)


@chart(("组合反射率拼图", "National Radar Mosaic"), ("雷达拼图", "Composite Reflectivity"), product="radar_mosaic")
def radar_mosaic(panel: Panel) -> None:
    map_ = open_map(panel, NATION * 2 + PROVINCES + ("usa", "great_plains"), columns=int(panel.rng.integers(200, 360)))
    ground(map_)
    finish(map_, _mosaic(map_), "dBZ")


@chart(("反射率剖面", "Reflectivity Cross Section"), ("RHI扫描", "RHI"), elements=("radar_reflectivity",))
def rhi(panel: Panel) -> None:
    axes = panel.axes(bar=True)
    echo = _echo(panel.rng)[100:160]
    height, distance = np.linspace(0, 18, 60), np.linspace(0, panel.rng.uniform(60, 230), 240)
    profile = echo - 1.9 * np.clip(height - panel.rng.uniform(2, 7), 0, None)[:, None] + 6
    colours, norm = panel.colours("radar", DBZ)
    mesh = axes.pcolormesh(distance, height, np.ma.masked_less(profile, 5), cmap=colours, norm=norm, shading="nearest")
    axes.set_xlabel(panel.words("距离 (km)", "Distance (km)"))
    axes.set_ylabel(panel.words("高度 (km)", "Height (km)"))
    panel.title(axes)
    panel.colour_bar(axes, mesh, "dBZ")
