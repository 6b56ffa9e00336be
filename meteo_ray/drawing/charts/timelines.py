"""Values at one place in time: box plots of an ensemble, old-fashioned grey graphs, a framed trajectory page."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from meteo_ray.drawing.charts.air import back_trajectory
from meteo_ray.drawing.charts.looks import WHITE, restyled, stacked_axes
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.panel import Panel

# element -> title, colour, lowest and highest middle value, spread
_ENSEMBLE = {
    "cloud": ("Total Cloud Cover (okta)", "#f0a030", 0, 8, 1.6),
    "precipitation": ("Total Precipitation (mm/6h)", "#20b040", 0, 6, 1.5),
    "wind": ("10m Wind Speed (m/s)", "#c030c0", 1, 9, 1.2),
    "temperature": ("2m Temperature (°C)", "#30a0e0", -4, 24, 1.5),
}


@chart(
    ("集合预报单站图", "ENS Meteogram"),
    ("集合箱线图", "EPSgram"),
    product="station_meteogram",
    panels=False,
    weight=1,
)
def ensemble_meteogram(panel: Panel) -> None:
    """Four rows of narrow boxes, one a time step, in a colour each, under a heading; often narrow on a tall page."""
    with restyled(panel, **WHITE, margin=2.0, title="none", font_size=panel.style.font_size * 0.8) as plain:
        x, y, width, height = plain.rect
        share = float(plain.pick(1.0, 1.0, 0.6))  # the rest of a tall page stays empty or holds small print
        plain.rect = (x, y + (1 - share) * height, width, share * height * 0.94)
        rows = stacked_axes(plain, len(_ENSEMBLE), bar=False)
        steps = int(plain.pick(20, 30, 40))
        for axes, (title, colour, low, high, spread) in zip(rows, _ENSEMBLE.values(), strict=True):
            _boxes(plain, axes, steps, colour, low, high, spread)
            axes.set_title(title, loc="left", fontsize=plain.style.font_size * 0.85, pad=2)
        days = [
            f"{name}{plain.story.issued.day % 20 + k}" for k, name in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri"))
        ]
        rows[-1].set_xticks(np.arange(5) * steps / 5, days)
        place, story = plain.story.place, plain.story
        heading = f"{plain.words(*plain.names)}  {plain.words(place.zh, place.en)} {place.lat:.1f}°N {place.lon:.1f}°E"
        plain.figure.text(x + 0.06, y + 0.99 * height, f"{heading}\n{story.issued:%A %d %B %Y %H} UTC", va="top",
                          fontsize=plain.style.font_size)  # fmt: skip
        plain.shown.add("cloud")


def _boxes(panel: Panel, axes: Axes, steps: int, colour: str, low: float, high: float, spread: float) -> None:
    """Quartiles as boxes, deciles as narrower ones and the extremes as lines, wider apart with lead time."""
    time = np.arange(steps)
    wave = 0.5 + 0.3 * np.sin(time * np.pi / 2) + 0.25 * np.sin(time / steps * 6 + panel.rng.uniform(0, 6))
    middle = low + (high - low) * np.clip(wave, 0, 1)
    grown = spread * (0.3 + time / steps) * panel.rng.uniform(0.5, 1.4, steps)
    floor = low if low >= 0 else -np.inf
    axes.vlines(time, np.maximum(middle - 2.2 * grown, floor), middle + 2.2 * grown, color=colour, linewidth=0.8)
    step = axes.get_position().width * panel.style.size[0] * 72 / panel.style.dpi / steps  # points
    for reach, width in ((1.3, 0.35 * step), (0.7, 0.65 * step)):
        bottom, top = np.maximum(middle - reach * grown, floor), middle + reach * grown
        axes.vlines(time, bottom, top, color="black", linewidth=width + 0.8)
        axes.vlines(time, bottom, top, color=colour, linewidth=width)
    axes.hlines(middle, time - 0.33, time + 0.33, color="black", linewidth=0.8)
    axes.set_xlim(-1, steps)
    axes.set_xticks(np.arange(5) * steps / 5)
    axes.grid(True, linestyle=":", linewidth=0.5, color="#999999")


_GREY: dict[str, Any] = {"background": "#c8c8c8", "grid": "none", "title": "none", "margin": 2.0, "ticks": "plain"}
_LINES = {  # element -> names and colours of its lines, lowest and highest value
    "temperature": ("Air Temperature", "#ff0000", 10, 70),
    "dew_point": ("Dew Point", "#00c000", 5, 55),
    "wind": ("Wind Speed", "#0000ff", 0, 40),
    "radiation": ("Solar Rad", "#000000", 0, 60),
    "pressure": ("Pressure", "#804000", 20, 40),
}


@chart(("站点时序图", "Station time series"), ("自动站24小时曲线", "Elem Time Series"), panels=False, weight=1.8)
def grey_station_series(panel: Panel) -> None:
    """Plain lines on a white field of a grey page, dense upright time labels, a framed legend, as old plotters had."""
    with restyled(panel, **_GREY | {"background": str(panel.pick("#c8c8c8", "#d4d4d4", "#e8e8e8", "white"))}) as plain:
        left, bottom, width, height = plain.room(False, True)
        axes = plain.figure.add_axes((left, bottom + 0.1 * height, width, 0.75 * height))
        axes.grid(True, color=str(plain.pick("#c0c0c0", "#909090")), linestyle=str(plain.pick("-", ":")), linewidth=0.5)
        steps = int(plain.pick(48, 96, 150))
        chosen = plain.rng.permutation(list(_LINES))[: int(plain.rng.integers(1, 4))]
        for element in chosen:
            _old_line(plain, axes, str(element), steps)
            plain.shown.add(str(element))
        ticks = np.arange(0, steps, steps / float(plain.pick(16, 24, 32)))
        labels = [f"{int(24 * tick / steps) % 12 or 12} {'AM' if tick < steps / 2 else 'PM'}" for tick in ticks]
        axes.set_xticks(ticks, labels, rotation=90, fontsize=plain.style.font_size * 0.65)
        axes.set_xlim(0, steps)
        axes.set_xlabel("Local Valid Time", loc="right", weight="bold")
        axes.set_ylabel(str(plain.pick("Temperature [F]", "Value", "[F] / [knots]")), weight="bold")
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1.01), fancybox=False, edgecolor="black", ncols=len(chosen),
                    fontsize=plain.style.font_size * 0.7)  # fmt: skip
        name = f"{plain.words(plain.story.place.zh, plain.story.place.en)} {plain.words(*plain.names)}"
        plain.figure.text(left, 0.98, name, va="top", weight="bold", fontsize=plain.style.font_size * 1.2)


def _old_line(panel: Panel, axes: Axes, element: str, steps: int) -> None:
    """One element through the day: smooth, in steps as whole numbers are, or as dots."""
    name, colour, low, high = _LINES[element]
    day = 0.5 - 0.35 * np.cos((np.arange(steps) / steps * 24 - 3) * np.pi / 12)
    share = day + np.cumsum(panel.rng.normal(0, 0.03, steps)) + panel.rng.normal(0, 0.015, steps)
    values = low + (high - low) * panel.rng.uniform(0.3, 1) * np.clip(share, 0, 1.2)
    if element == "radiation":
        values = np.where(day > 0.35, values, low)
    manner = str(panel.pick("line", "line", "steps", "dots"))
    if manner == "dots":
        axes.plot(values, ".", color=colour, markersize=3, label=name)
    else:
        axes.plot(values.round() if manner == "steps" else values, color=colour, linewidth=1.4, label=name,
                  drawstyle="steps-mid" if manner == "steps" else "default")  # fmt: skip


@chart(("后向轨迹模式页", "Backward trajectories page"), ("气团来源", "Backward trajectories ending at 00 UTC"),
       product="back_trajectory", panels=False, weight=1)  # fmt: skip
def trajectory_page(panel: Panel) -> None:
    """The framed page of a trajectory model: blue outlines, the source written upright, a box of small print below."""
    look = WHITE | {"coast": str(panel.pick("#4060c0", "#80a0d0", "black")), "coast_width": 0.5, "grid": "dotted"}
    with restyled(panel, **look, title="centre", ticks="none", margin=2.0) as plain:
        x, y, width, height = plain.rect
        plain.rect = (x, y + 0.12 * height, width, 0.88 * height)
        back_trajectory(plain)
        place, story = plain.story.place, plain.story
        plain.figure.text(x + 0.03, y + 0.65 * height, f"Source ★ at {place.lat:.2f} N {place.lon:.2f} E",
                          rotation=90, va="center", fontsize=plain.style.font_size * 0.8)  # fmt: skip
        facts = (f"Job ID: {story.issued:%H%M%d}   Job Start: {story.issued:%a %b %d %H:%M:%S} UTC {story.issued:%Y}\n"
                 f"Source 1  lat.: {place.lat}  lon.: {place.lon}  hgts: 500, 1000, 1500 m AGL\n"
                 "Trajectory Direction: Backward   Vertical Motion: Model Vertical Velocity")  # fmt: skip
        plain.figure.text(x + width / 2, y + 0.06 * height, facts, ha="center", va="center",
                          fontsize=plain.style.font_size * 0.6, bbox={"facecolor": "white", "edgecolor": "black"},
                          )  # fmt: skip
