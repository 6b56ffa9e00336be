"""Station models and wind roses."""

from typing import cast

import numpy as np
from matplotlib.patches import Circle, Wedge
from matplotlib.projections.polar import PolarAxes

from meteo_ray.drawing import fields, layers
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.maps import NATION, PROVINCES, Map, finish, ground, open_map
from meteo_ray.drawing.panel import Panel

_WEATHER = ("•", "••", "∴", "*", "**", "∞", "≡", "△", "∇")  # rain, snow, haze, fog, hail in plain letters


@chart(("地面填图", "Surface Station Plot"), ("地面观测", "METAR station plot"), product="surface_station_plot")
def station_plot(panel: Panel) -> None:
    map_ = open_map(panel, PROVINCES * 2 + NATION + ("usa", "great_plains", "europe", "gulf_of_mexico"), bar=False)
    ground(map_)
    x, y, rows, columns = _spread(map_)
    air = map_.atmosphere
    sampled = {
        "temperature": fields.sample(air.surface_temperature(), rows, columns),
        "dew": fields.sample(air.surface_dew_point(), rows, columns),
        "pressure": fields.sample(air.pressure(), rows, columns),
        "cloud": fields.sample(air.cloud(), rows, columns),
    }
    u, v = (fields.sample(part, rows, columns) for part in air.surface_wind())
    colour = "white" if panel.style.dark_map else "black"
    map_.axes.barbs(x, y, u, v, length=6, linewidth=0.7, color=colour, zorder=8, flip_barb=map_.frame.lat[0, 0] < 0,
                    barb_increments={"half": 2, "full": 4, "flag": 20})  # fmt: skip
    _numbers(map_, x, y, sampled, colour)
    _sky(map_, x, y, sampled["cloud"], colour)
    finish(map_)


def _spread(map_: Map) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Stations on a shaken grid, so that their numbers do not overlap."""
    panel, frame = map_.panel, map_.frame
    em = panel.style.font_size * panel.style.dpi / 72
    across = int(np.clip(map_.axes.get_position().width * panel.style.size[0] / (5.2 * em), 5, 14))
    down = max(4, round(across / frame.aspect))
    columns, rows = np.meshgrid((np.arange(across) + 0.5) / across, (np.arange(down) + 0.5) / down)
    shake = panel.rng.uniform(-0.3, 0.3, (2, *rows.shape))
    columns = (columns + shake[0] / across).ravel() * (frame.shape[1] - 1)
    rows = (rows + shake[1] / down).ravel() * (frame.shape[0] - 1)
    on_land = map_.atmosphere.land[rows.round().astype(int), columns.round().astype(int)]
    keep = on_land if on_land.sum() > 12 else np.ones(len(rows), bool)
    rows, columns = rows[keep], columns[keep]
    x = frame.x0 + columns / (frame.shape[1] - 1) * (frame.x1 - frame.x0)
    y = frame.y0 + rows / (frame.shape[0] - 1) * (frame.y1 - frame.y0)
    return x, y, rows, columns


def _numbers(map_: Map, x: np.ndarray, y: np.ndarray, values: dict[str, np.ndarray], colour: str) -> None:
    """Temperature upper left, dew point lower left, pressure upper right, weather to the left: the WMO model."""
    panel = map_.panel
    size, offset = panel.style.font_size * 0.72, panel.style.font_size * 0.8
    coloured = panel.chance(0.6)
    colours = ("#d00000", "#007000", "#0000b0") if coloured else (colour,) * 3
    coded = np.mod(np.round(values["pressure"] * 10), 1000)
    for i in range(len(x)):
        for text, dx, dy, ink in (
            (f"{values['temperature'][i]:.0f}", -1, 0.9, colours[0]),
            (f"{values['dew'][i]:.0f}", -1, -0.9, colours[1]),
            (f"{coded[i]:03.0f}", 1.2, 0.9, colours[2]),
            (_WEATHER[i % len(_WEATHER)] if values["cloud"][i] > 0.75 else "", -1.2, 0, "#8000a0"),
        ):
            if text:
                map_.axes.annotate(text, (x[i], y[i]), (dx * offset, dy * offset), textcoords="offset points",
                                   ha="center", va="center", fontsize=size, color=ink, zorder=9)  # fmt: skip


def _sky(map_: Map, x: np.ndarray, y: np.ndarray, cloud: np.ndarray, colour: str) -> None:
    radius = 0.004 * (map_.frame.x1 - map_.frame.x0) * 700 / map_.panel.style.size[0]
    for i in range(len(x)):
        centre = (x[i], y[i])
        map_.axes.add_patch(Circle(centre, radius * 1.6, facecolor="white", edgecolor=colour, linewidth=0.7, zorder=9))
        share = round(float(cloud[i]) * 4) / 4
        if share > 0:
            wedge = Wedge(centre, radius * 1.6, 90 - 360 * share, 90, facecolor=colour, zorder=9.5)
            map_.axes.add_patch(wedge)


@chart(("风玫瑰图", "Wind Rose"), ("风向风速频率", "Wind direction frequency"), product="wind_rose")
def wind_rose(panel: Panel) -> None:
    axes = cast(PolarAxes, panel.axes(bar=False, labels=True, polar=True))
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    sectors = int(panel.pick(8, 16, 16, 36))
    angle = np.arange(sectors) * 2 * np.pi / sectors
    prevailing = panel.rng.uniform(0, 2 * np.pi)
    share = np.exp(panel.rng.uniform(0.8, 2.0) * np.cos(angle - prevailing)) + 0.4 * np.exp(
        1.6 * np.cos(angle - prevailing - 2.6)
    )
    share = share * panel.rng.uniform(0.7, 1.3, sectors)
    share *= 100 / share.sum()
    classes = np.array([0, 2, 4, 6, 8, 10, 14])
    weights = panel.rng.dirichlet(np.array([3, 4, 3, 2, 1, 0.5]) * 4, sectors) * share[:, None]
    colours, _ = panel.colours("wind", classes)
    base = np.zeros(sectors)
    for number in range(len(classes) - 1):
        axes.bar(angle, weights[:, number], 2 * np.pi / sectors * 0.88, base, color=colours(number), linewidth=0.4,
                 edgecolor=panel.style.ink, label=f"{classes[number]}-{classes[number + 1]} m/s")  # fmt: skip
        base = base + weights[:, number]
    names = ("N", "NE", "E", "SE", "S", "SW", "W", "NW") if panel.chance(0.6) or not panel.style.chinese else (
        "北", "东北", "东", "东南", "南", "西南", "西", "西北")  # fmt: skip
    axes.set_xticks(np.arange(8) * np.pi / 4, names)
    axes.set_yticks(np.linspace(0, share.max() * 1.05, 5)[1:].round(1))
    if panel.chance(0.75):
        axes.legend(loc="lower left", bbox_to_anchor=(0.9, -0.05), title=panel.words("风速", "Speed"))
    axes.set_title(f"{panel.words(panel.story.place.zh, panel.story.place.en)} {panel.words(*panel.names)}", pad=14,
                   fontsize=panel.style.font_size * 1.2)  # fmt: skip


@chart(("站点实况", "Station observations"), ("站点气温", "Station temperature"), elements=("temperature",))
def station_temperature(panel: Panel) -> None:
    map_ = open_map(panel, NATION + PROVINCES + ("usa", "europe"))
    ground(map_)
    temperature = map_.atmosphere.surface_temperature()
    from meteo_ray.drawing.panel import nice_levels

    levels = nice_levels(float(temperature.min()), float(temperature.max()), panel.style.levels)
    mappable = layers.station_dots(map_, temperature, "temperature", levels, int(panel.rng.integers(30, 900)))
    if panel.chance(0.3):
        layers.station_numbers(map_, temperature, 70)
    finish(map_, mappable, "℃")
