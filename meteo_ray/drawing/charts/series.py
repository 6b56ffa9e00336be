"""Time series at one place: meteograms and ensemble plumes."""

from datetime import timedelta

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter, HourLocator
from matplotlib.ticker import MaxNLocator

from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.panel import Panel


def _days(panel: Panel) -> tuple[np.ndarray, list]:
    days = int(panel.pick(1, 2, 3, 5, 7, 10))
    step = 1 if days < 4 else 3
    hours = np.arange(0, 24 * days + 1, step)
    return hours, [panel.story.issued + timedelta(hours=int(hour)) for hour in hours]


def _rows(panel: Panel, count: int, heights: np.ndarray) -> list[Axes]:
    """Axes one above the other sharing the panel's width."""
    x, y, width, height = panel.room(False, True)
    tops = y + height - np.concatenate([[0], np.cumsum(heights)]) * height
    return [panel.figure.add_axes((x, tops[i + 1] + 0.012, width, heights[i] * height - 0.024)) for i in range(count)]


def _temperature(panel: Panel, hours: np.ndarray) -> np.ndarray:
    wander = np.interp(
        hours, np.arange(0, hours[-1] + 24, 24), np.cumsum(panel.rng.normal(0, 2.2, hours[-1] // 24 + 1))
    )
    return (
        panel.rng.uniform(-8, 28)
        + wander
        + panel.rng.uniform(2, 7) * np.sin((hours - 9) * np.pi / 12)
        + panel.rng.normal(0, 0.3, len(hours))
    )


def _draw_temperature(axes: Axes, panel: Panel, times: list, values: np.ndarray, dew: np.ndarray | None) -> None:
    axes.plot(times, values, color="#e02020", linewidth=1.6, marker=panel.pick(None, "o", "."), markersize=3)
    if dew is not None:
        axes.plot(times, dew, color="#108020", linewidth=1.2)
    axes.set_ylabel(panel.words("气温 (℃)", "T (°C)"))


def _draw_rain(axes: Axes, panel: Panel, times: list, step: float) -> None:
    wet = np.clip(np.convolve(panel.rng.normal(-0.35, 1, len(times) + 4), np.ones(5) / 2.2, "valid"), 0, None) ** 2
    axes.bar(
        times,
        wet * panel.rng.uniform(0.5, 5),
        width=step / 24 * 0.85,
        color=str(panel.pick("#2060e0", "#30a030", "#40c0ff")),
    )
    axes.set_ylabel(panel.words("降水 (mm)", "Precip (mm)"))
    axes.set_ylim(bottom=0)


def _draw_wind(axes: Axes, panel: Panel, times: list, hours: np.ndarray) -> None:
    speed = np.abs(5 + 2.5 * np.sin(hours / 13 + panel.rng.uniform(0, 6)) + panel.rng.normal(0, 0.7, len(hours)))
    angle = np.cumsum(panel.rng.normal(0, 0.15, len(hours))) + panel.rng.uniform(0, 6)
    if panel.chance(0.7):
        axes.plot(times, speed, color="#6020a0", linewidth=1.3)
    thin = max(1, len(times) // 24)
    axes.barbs(
        times[::thin],
        speed[::thin],
        (speed * 1.5 * np.cos(angle))[::thin],
        (speed * 1.5 * np.sin(angle))[::thin],
        length=5,
        linewidth=0.6,
        color=panel.style.ink,
    )
    axes.set_ylabel(panel.words("风 (m/s)", "Wind (m/s)"))
    axes.set_ylim(0, speed.max() * 1.35)


@chart(
    ("单站气象要素时序", "Station Meteogram"), ("精细化预报", "Meteogram"), product="station_meteogram", panels=False
)
def meteogram(panel: Panel) -> None:
    hours, times = _days(panel)
    optional = [name for name in ("pressure", "humidity", "cloud") if panel.chance(0.35)]
    kinds = ["temperature", "precipitation", "wind", *optional]
    kinds = [str(kind) for kind in panel.rng.permutation(kinds)] if panel.chance(0.4) else kinds
    rows = _rows(panel, len(kinds), panel.rng.dirichlet(np.full(len(kinds), 60)))
    temperature = _temperature(panel, hours)
    for axes, kind in zip(rows, kinds, strict=True):
        if kind == "temperature":
            with_dew = panel.chance(0.35)
            _draw_temperature(
                axes, panel, times, temperature, temperature - 5 - 2 * np.sin(hours / 20) if with_dew else None
            )
            if with_dew:
                panel.shown.add("dew_point")
        elif kind == "precipitation":
            _draw_rain(axes, panel, times, float(hours[1] - hours[0]))
        elif kind == "wind":
            _draw_wind(axes, panel, times, hours)
        else:
            _draw_optional(axes, panel, times, hours, kind)
            panel.shown.add(kind)
        _time_axis(axes, panel, hours, last=axes is rows[-1])
    name = f"{panel.words(panel.story.place.zh, panel.story.place.en)} {panel.words(*panel.names)}"
    panel.names = (name, name)
    panel.title(rows[0])


def _draw_optional(axes: Axes, panel: Panel, times: list, hours: np.ndarray, kind: str) -> None:
    wave = np.convolve(panel.rng.normal(0, 1, len(hours) + 10), np.ones(11) / 4, "valid")
    if kind == "pressure":
        axes.plot(times, 1012 + 3 * wave, color="#804000", linewidth=1.3)
        axes.set_ylabel(panel.words("气压 (hPa)", "MSLP (hPa)"))
    elif kind == "humidity":
        axes.fill_between(times, np.clip(60 + 20 * wave, 5, 100), color="#20a060", alpha=0.5)
        axes.set_ylim(0, 100)
        axes.set_ylabel(panel.words("湿度 (%)", "RH (%)"))
    else:
        axes.bar(times, np.clip(50 + 40 * wave, 0, 100), width=float(hours[1] - hours[0]) / 24, color="#888888")
        axes.set_ylim(0, 100)
        axes.set_ylabel(panel.words("云量 (%)", "Cloud (%)"))


def _time_axis(axes: Axes, panel: Panel, hours: np.ndarray, last: bool) -> None:
    axes.grid(True, linestyle=":", linewidth=0.5, color="#999999")
    step = next(s for s in (6, 12, 24, 48) if hours[-1] / s <= 6)
    axes.xaxis.set_major_locator(HourLocator(interval=step))
    axes.xaxis.set_major_formatter(
        DateFormatter(("%d日%H时" if panel.style.chinese else "%d/%HZ") if step < 24 else "%m-%d")
    )
    if not last:
        axes.tick_params(labelbottom=False)
    axes.yaxis.set_major_locator(MaxNLocator(5))


@chart(
    ("集合预报箱线图", "Ensemble temperature plume"),
    ("集合温度预报", "ENS 2 m temperature"),
    elements=("temperature",),
    panels=False,
)
def ensemble_plume(panel: Panel) -> None:
    axes = panel.axes(bar=False, labels=True)
    hours, times = _days(panel)
    centre = _temperature(panel, hours)
    spread = np.cumsum(panel.rng.normal(0, 0.35, (30, len(hours))), axis=1)
    for member in spread:
        axes.plot(times, centre + member, color="#f08060", linewidth=0.5)
    axes.plot(times, centre, color="#b00000", linewidth=2)
    axes.set_ylabel(panel.words("2米气温 (℃)", "2 m temperature (°C)"))
    _time_axis(axes, panel, hours, last=True)
    panel.title(axes)
