"""Soundings and vertical sections."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from meteo_ray.drawing import fields
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.panel import Panel, nice_levels

BOTTOM, TOP = 1050.0, 100.0  # hPa
SKEW = 37.0  # degrees Celsius that an isotherm leans over per unit of ln(BOTTOM / p): 45 degrees on a square plot
KAPPA = 0.2857  # R / c_p of dry air


def _skewed(temperature: np.ndarray, pressure: np.ndarray) -> np.ndarray:
    """Abscissa of a temperature (Celsius) at a pressure (hPa)."""
    return temperature + SKEW * np.log(BOTTOM / pressure)


def _sounding(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pressure, temperature and dew point: 6.5 K/km, an inversion or two, a tropopause, moist and dry layers."""
    pressure = np.exp(np.linspace(np.log(1005), np.log(TOP), 90))
    height = 44330 * (1 - (pressure / 1013.25) ** 0.1903)
    surface = rng.uniform(-12, 34)
    tropopause = rng.uniform(10.5, 16) * 1000
    temperature = surface - 6.6e-3 * np.minimum(height, tropopause) + 1.5e-3 * np.maximum(height - tropopause, 0)
    for base in rng.uniform(300, 5000, int(rng.integers(0, 3))):
        temperature += rng.uniform(1, 5) / (1 + np.exp(-(height - base) / 120))
    temperature = temperature + np.convolve(rng.normal(0, 0.5, 90), np.ones(5) / 5, "same")
    spread = 3 + 12 * np.convolve(np.abs(rng.normal(0, 1, 90 + 8)), np.ones(9) / 9, "valid") ** 1.5 + height / 2500
    spread = np.where(np.abs(height - rng.uniform(500, 4000)) < 700, 0.8, spread)
    return pressure, temperature, temperature - spread


def _background(axes: Axes, panel: Panel) -> None:
    """Slanted isotherms, dry adiabats, moist adiabats and lines of equal mixing ratio."""
    pressure = np.exp(np.linspace(np.log(BOTTOM), np.log(TOP), 60))
    grey = panel.chance(0.4)
    for temperature in range(-120, 51, 10):
        colour = "#999999" if grey else ("#0060d0" if temperature == 0 else "#b07a30")
        axes.plot(_skewed(np.full(60, float(temperature)), pressure), pressure, color=colour, linewidth=0.6)
    if panel.chance(0.85):
        for theta in range(-40, 180, 20):
            dry = (theta + 273.15) * (pressure / 1000) ** KAPPA - 273.15
            axes.plot(
                _skewed(dry, pressure), pressure, color="#999999" if grey else "#c05020", linewidth=0.5, alpha=0.7
            )
    if panel.chance(0.75):
        for start in range(-20, 40, 8):
            axes.plot(
                _skewed(_moist_adiabat(start, pressure), pressure), pressure, "--", color="#30a060", linewidth=0.5
            )
    if panel.chance(0.6):
        low = pressure[pressure > 400]
        for ratio in (0.4, 1, 2, 4, 7, 10, 16, 24):
            vapour = np.log(ratio * low / (622 + ratio) / 6.112)
            axes.plot(_skewed(243.5 * vapour / (17.67 - vapour), low), low, ":", color="#208020", linewidth=0.6)


def _moist_adiabat(start: float, pressure: np.ndarray) -> np.ndarray:
    """Temperature of a saturated parcel that has `start` (Celsius) at 1000 hPa, integrated step by step.

    dT/dp from Bakhshaii and Stull (2013), equation 3.
    """
    temperature = np.empty_like(pressure)
    reference = int(np.argmin(np.abs(pressure - 1000)))
    for order in (range(reference, len(pressure)), range(reference, -1, -1)):
        kelvin, before = start + 273.15, pressure[reference]
        for i in order:
            ratio = 0.622 * fields.saturation_pressure(kelvin - 273.15) / max(before, 1)
            top = 287 * kelvin + 2.501e6 * ratio
            slope = top / (1005 + 2.501e6**2 * ratio * 0.622 / (287 * kelvin**2)) / before
            kelvin, before = kelvin + slope * (pressure[i] - before), pressure[i]
            temperature[i] = kelvin - 273.15
    return temperature


@chart(("探空曲线T-lnP图", "Skew-T Log-P"), ("温度对数压力图", "Sounding"), product="skewt_sounding")
def skewt(panel: Panel) -> None:
    axes = panel.axes(bar=False, labels=True, aspect=float(panel.rng.uniform(0.75, 1.1)))
    axes.set_yscale("log")
    axes.set(xlim=(-40, 50), ylim=(BOTTOM, TOP))
    _background(axes, panel)
    pressure, temperature, dew = _sounding(panel.rng)
    red, green = panel.pick(("#e00000", "#008000"), ("#e00000", "#0000e0"), ("black", "black"), ("#0000d0", "#00a000"))
    axes.plot(_skewed(temperature, pressure), pressure, color=red, linewidth=1.9, label=panel.words("温度", "T"))
    axes.plot(_skewed(dew, pressure), pressure, color=green, linewidth=1.9, label=panel.words("露点", "Td"))
    if panel.chance(0.6):
        parcel = _moist_adiabat(float(temperature[0]) - 4, pressure)
        axes.plot(_skewed(parcel, pressure), pressure, color=panel.style.ink, linewidth=1.2, linestyle="--")
        if panel.chance(0.5):
            warmer = ((parcel > temperature) & (pressure < 850)).tolist()
            axes.fill_betweenx(pressure, _skewed(temperature, pressure), _skewed(parcel, pressure), where=warmer,
                               color="#ff6060", alpha=0.35)  # fmt: skip
    _wind_column(axes, panel)
    ticks = [1000, 925, 850, 700, 500, 400, 300, 250, 200, 150, 100]
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_yticks(ticks, [str(level) for level in ticks])
    axes.set_xlabel("℃")
    axes.set_ylabel("hPa")
    name = f"{panel.words(panel.story.place.zh, panel.story.place.en)} {panel.words(*panel.names)}"
    panel.names = (name, name)
    panel.title(axes)


def _wind_column(axes: Axes, panel: Panel) -> None:
    levels = np.exp(np.linspace(np.log(1000), np.log(110), int(panel.rng.integers(14, 26))))
    height = np.log(1000 / levels)
    angle = panel.rng.uniform(0, 2 * np.pi) + height * panel.rng.uniform(-0.8, 0.8)
    speed = 4 + panel.rng.uniform(6, 22) * height + panel.rng.normal(0, 1.5, len(levels))
    axes.barbs(
        np.full(len(levels), 46.5),
        levels,
        speed * np.cos(angle),
        speed * np.sin(angle),
        length=6,
        linewidth=0.7,
        color=panel.style.ink,
        barb_increments={"half": 2, "full": 4, "flag": 20},
        zorder=9,
    )


def _section_axes(panel: Panel, pressure: np.ndarray) -> Axes:
    axes = panel.axes(bar=True, labels=True)
    axes.grid(False)
    if panel.chance(0.6):
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(float(pressure[0]), float(pressure[-1]))
    ticks = [1000, 850, 700, 500, 400, 300, 200, 100]
    axes.set_yticks(ticks, [str(level) for level in ticks])
    axes.set_ylabel("hPa" if panel.chance(0.5) else panel.words("气压 (hPa)", "Pressure (hPa)"))
    return axes


def _section_fields(panel: Panel) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Distance 0..1, pressure, temperature, and the wind through and along the section, with a jet near 250 hPa."""
    across, pressure = np.linspace(0, 1, 90), np.linspace(1000, 100, 46)
    noise = fields.smooth_noise(panel.rng, (46, 90), 30, 2.6)
    height = 44330 * (1 - (pressure / 1013.25) ** 0.1903)[:, None] / 1000
    tropopause = 16 - 6 * across
    temperature = (
        28 - 30 * across - 6.4 * np.minimum(height, tropopause) + 0.8 * np.maximum(height - tropopause, 0) + 1.8 * noise
    )
    jet_at, strength = panel.rng.uniform(0.35, 0.65), panel.rng.uniform(28, 60)
    through = (
        strength * np.exp(-(((across - jet_at) / 0.17) ** 2) - ((pressure[:, None] - 230) / 220) ** 2) + 5 * noise + 4
    )
    along = 8 * fields.smooth_noise(panel.rng, (46, 90), 35, 2.6)
    return across, pressure, temperature, through, along


@chart(("温度、风剖面", "Temperature and Wind Cross Section"), ("经向垂直剖面", "Vertical cross section"),
       product="temperature_wind_cross_section")  # fmt: skip
def cross_section(panel: Panel) -> None:
    across, pressure, temperature, through, along = _section_fields(panel)
    axes = _section_axes(panel, pressure)
    filled, drawn = (temperature, through) if panel.chance(0.7) else (through, temperature)
    kind, unit = ("temperature", "℃") if filled is temperature else ("wind", "m/s")
    levels = nice_levels(float(filled.min()), float(filled.max()), panel.style.levels + 4)
    colours, norm = panel.colours(kind, levels)
    latitude = 15 + 40 * across
    mesh = axes.contourf(latitude, pressure, filled, levels, cmap=colours, norm=norm, extend="both")
    if panel.chance(0.6):
        lines = axes.contour(latitude, pressure, drawn, 10, colors=panel.style.ink if panel.style.dark else "black",
                             linewidths=panel.style.contour_width)  # fmt: skip
        lines.clabel(fontsize=panel.style.font_size * 0.7, fmt="%g")
    if panel.chance(0.75) or filled is temperature:
        axes.barbs(latitude[::6], pressure[::3], through[::3, ::6], along[::3, ::6], length=5, linewidth=0.5,
                   barb_increments={"half": 2, "full": 4, "flag": 20})  # fmt: skip
    if panel.chance(0.35):
        ground_height = 1000 - 260 * np.exp(-(((across - panel.rng.uniform(0.3, 0.8)) / 0.12) ** 2))
        axes.fill_between(latitude, ground_height, 1000, color="#5a4632", zorder=5)
    axes.set_xlabel(panel.words("纬度（°N）", "Latitude"))
    panel.title(axes)
    panel.colour_bar(axes, mesh, unit)


@chart(("时间-高度剖面", "Time-height section"), ("风廓线雷达", "Wind profiler"), elements=("wind",))
def time_height_wind(panel: Panel) -> None:
    axes = panel.axes(bar=True, labels=True)
    axes.grid(False)
    hours, height = np.arange(0, 24.1, 0.5), np.linspace(0.1, 8, 40)
    u, v = (4 + 9 * fields.smooth_noise(panel.rng, (40, 49), 20, 2.6) + 2 * height[:, None] for _ in range(2))
    speed = np.hypot(u, v)
    colours, norm = panel.colours("wind", nice_levels(0, float(speed.max()), 10))
    mesh = axes.pcolormesh(hours, height, speed, cmap=colours, norm=norm, shading="nearest")
    axes.barbs(hours[::3], height[::3], u[::3, ::3], v[::3, ::3], length=5, linewidth=0.5)
    axes.set_xlabel(panel.words("时间 (h)", "Time (UTC)"))
    axes.set_ylabel(panel.words("高度 (km)", "Height (km)"))
    panel.title(axes)
    panel.colour_bar(axes, mesh, "m/s")
