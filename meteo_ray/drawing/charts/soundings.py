"""Soundings on plain axes, thin-lined skew-T diagrams with a hodograph, and dense station plots."""

from typing import Any

import numpy as np
from matplotlib.ticker import NullLocator

from meteo_ray.drawing.charts.general import hodograph
from meteo_ray.drawing.charts.looks import WHITE, restyled
from meteo_ray.drawing.charts.profiles import skewt
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.charts.stations import station_plot
from meteo_ray.drawing.panel import Panel

_TICKS = (1000, 850, 700, 500, 400, 300, 200, 100)


@chart(("模式探空", "Model Sounding"), ("温度露点廓线", "Temperature and dew point profile"),
       elements=("sounding", "temperature", "dew_point"), weight=2)  # fmt: skip
def plain_sounding(panel: Panel) -> None:
    """Temperature and dew point against pressure on upright axes, with a legend."""
    with restyled(panel, **WHITE | {"grid": panel.style.grid}, margin=2.0, ticks="plain") as plain:
        axes = plain.axes(aspect=float(plain.pick(0.6, 0.8, 1.0, 1.4)))
        pressure = np.geomspace(1005, float(plain.pick(100, 200, 50)), int(plain.pick(18, 37, 120)))
        temperature, dew = _profiles(plain, pressure)
        red, green = plain.pick(
            ("red", "green"), ("#d62728", "#2ca02c"), ("#ff0000", "#0000ff"), ("#1f77b4", "#ff7f0e")
        )
        pen: dict[str, Any] = {
            "linestyle": str(plain.pick("-", "-", "--")),
            "marker": str(plain.pick("", "", ".", "+")),
        }
        axes.plot(temperature, pressure, color=red, label=plain.words("温度", "Air Temperature"), **pen)
        axes.plot(dew, pressure, color=green, label=plain.words("露点", "Dew Point"), **pen)
        if plain.chance(0.7):
            axes.set_yscale("log")
            axes.yaxis.set_minor_locator(NullLocator())
        ticks = [level for level in _TICKS if level >= pressure[-1]]
        axes.set_yticks(ticks, [str(level) for level in ticks])
        axes.set_ylim(1020, pressure[-1])
        axes.set_xlabel(plain.words("温度 (℃)", "Temperature [°C]"))
        axes.set_ylabel(plain.words("气压 (hPa)", "Pressure [hPa]"))
        axes.legend(loc=str(plain.pick("upper right", "lower left", "best")))
        plain.title(axes)


def _profiles(panel: Panel, pressure: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Temperature falling to a tropopause and a dew point below it, both a little uneven."""
    height = 44.33 * (1 - (pressure / 1013.25) ** 0.1903)
    tropopause = panel.rng.uniform(10, 16)
    knots = np.linspace(0, height[-1], 9)
    uneven, spread = panel.rng.normal(0, 1.5, 9), panel.rng.uniform(0.5, 14, 9)
    temperature = panel.rng.uniform(-10, 34) - 6.5 * np.minimum(height, tropopause) + np.interp(height, knots, uneven)
    temperature = temperature + 1.2 * np.maximum(height - tropopause, 0)
    return temperature, temperature - np.interp(height, knots, spread) - 0.4 * height


@chart(("探空与风矢端图", "Skew-T and hodograph"), ("探空", "RAP sounding"), product="skewt_sounding", weight=1)
def skewt_with_hodograph(panel: Panel) -> None:
    """A thin-lined diagram on white with a small hodograph in one of its upper corners."""
    with restyled(panel, **WHITE, frame_width=0.5, font_size=panel.style.font_size * 0.8) as plain:
        skewt(plain)
        for line in plain.figure.axes[-1].lines:
            line.set_linewidth(min(line.get_linewidth(), 1.1))
        box, page = plain.figure.axes[-1].get_position(), plain.style.size[0] / plain.style.size[1]
        width, height = 0.42 * box.width, 0.42 * box.width * page
        left = box.x0 + 0.02 * box.width if plain.chance(0.6) else box.x0 + 0.5 * box.width
        corner = (left, box.y1 - height - 0.02 * box.height, width, height)
    with restyled(plain, title="none", margin=0.0, font_size=plain.style.font_size * 0.7) as small:
        small.rect = corner
        hodograph(small)
        small.figure.axes[-1].set(xlabel="", ylabel="", xticks=[], yticks=[])


@chart(("天气报填图", "Observation plotting (synop)"), ("地面填图", "SYNOP station plot"),
       product="surface_station_plot", weight=1)  # fmt: skip
def dense_station_plot(panel: Panel) -> None:
    """Station models in small print, side by side over the whole of a white map."""
    small = panel.style.size[0] / 44 * 72 / panel.style.dpi
    with restyled(panel, **WHITE, font_size=small, coast_width=0.5, borders="thin") as plain:
        station_plot(plain)
