"""One district or island by itself on white paper: districts by value, air quality, concentration in cells."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, to_hex
from scipy import ndimage

from meteo_ray.drawing import fields, layers, palettes
from meteo_ray.drawing.charts.looks import WHITE, restyled
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.districts import district_lines, districts, paint_districts
from meteo_ray.drawing.maps import PROVINCES, Map, graticule, lines_over, open_map
from meteo_ray.drawing.panel import Panel, nice_levels

_HUES = ("GnBu", "YlGnBu", "Blues", "Reds", "Oranges", "Greens", "PuBu", "YlOrRd", "BuGn")


@chart(("乡镇气温预报", "Township temperature forecast"), ("分县体感温度", "Apparent temperature by district"),
       ("乡镇雨量", "Rain by township"), weight=2)  # fmt: skip
def districts_by_value(panel: Panel) -> None:
    """A county cut out of white paper, its districts in one hue by value, each with its number."""
    look = WHITE | {"colour_bar": str(panel.pick("right", "right", "none")), "ticks": "none", "margin": 2.5}
    with restyled(panel, **look) as plain:
        map_ = open_map(plain, ("north_china", "sichuan", "yangtze", "great_plains", "central_europe"), columns=240)
        map_.axes.axis("off")
        numbers = _county(map_, int(plain.rng.integers(14, 50)))
        shown = [int(number) for number in np.unique(numbers) if number >= 0]
        element, low, high = plain.pick(("temperature", 8, 20), ("temperature", 22, 36), ("precipitation", 0, 80))
        plain.shown.add(str(element))
        values = plain.rng.uniform(low, high, int(numbers.max()) + 1)
        levels = nice_levels(low, high, 14)
        table = palettes.by_name(str(plain.pick(*_HUES)))
        norm = BoundaryNorm(levels, table.N)
        paint_districts(map_, numbers, [to_hex(table(norm(value))) for value in values])
        district_lines(map_, numbers, float(plain.rng.uniform(0.5, 1.2)), str(plain.pick("black", "#444444", "white")))
        _print_values(map_, numbers, shown, values)
        plain.title(map_.axes)
        plain.colour_bar(map_.axes, ScalarMappable(norm, table), "℃" if element == "temperature" else "mm")


def _county(map_: Map, count: int) -> np.ndarray:
    """District numbers with all those far from the map's middle taken away, so that a ragged area remains."""
    # The median rounds the rough borders off: neighbours differ in number, and one of the two wins.
    numbers = ndimage.median_filter(districts(map_, count), 9)
    rows, columns = np.indices(numbers.shape)
    height, width = numbers.shape
    kept = np.full(numbers.shape, -1)
    for number in np.unique(numbers[numbers >= 0]):
        cells = numbers == number
        away = np.hypot(rows[cells].mean() / height - 0.5, (columns[cells].mean() - 0.5 * width) / height)
        if away < 0.33:
            kept[cells] = number
    return kept


def _print_values(map_: Map, numbers: np.ndarray, shown: list[int], values: np.ndarray) -> None:
    """Each district's value in its middle, often under a name."""
    panel = map_.panel
    named = panel.chance(0.6)
    for number in shown:
        rows, columns = np.nonzero(numbers == number)
        name = f"{panel.words('乡镇', 'Town ')}{number}\n" if named else ""
        x, y = map_.frame.x[round(columns.mean())], map_.frame.y[round(rows.mean())]
        map_.axes.text(x, y, f"{name}{values[number]:.0f}", ha="center", va="center", color="black",
                       fontsize=panel.style.font_size * 0.65, zorder=9)  # fmt: skip


@chart(("岛屿空气质量", "Taiwan AQI map"), ("空气质量指标", "Air quality index of the island"),
       elements=("air_quality",), weight=1.4)  # fmt: skip
def island_air_quality(panel: Panel) -> None:
    """An island in yellow and green (or worse) on white, stations in small frames, a thin scale at the left."""
    look = WHITE | {"ticks": "none", "colour_bar": str(panel.pick("left", "left", "right")), "bar_fraction": 0.5}
    with restyled(panel, **look, coast_width=0.4) as plain:
        map_ = open_map(plain, ("taiwan", "taiwan", "japan", "british_isles"), columns=160)
        map_.axes.axis("off")
        worst = float(plain.rng.uniform(70, 320))
        smooth = fields.smooth_noise(plain.rng, map_.frame.shape, 70, 2.5)
        index = np.where(map_.atmosphere.land, np.clip(0.4 + 0.25 * smooth, 0.05, 1) * worst, np.nan)
        colours = palettes.by_name(str(plain.pick("RdYlGn_r", "air_quality", "temperature_ecmwf")))
        mappable = map_.axes.imshow(index, extent=map_.frame.extent, origin="lower", aspect="auto", cmap=colours,
                                    vmin=0, vmax=float(plain.pick(150, 300, 500)), interpolation="nearest")  # fmt: skip
        _framed_values(map_, index)
        lines_over(map_)
        plain.title(map_.axes)
        plain.colour_bar(map_.axes, mappable, "AQI")


def _framed_values(map_: Map, field: np.ndarray) -> None:
    x, y, rows, columns = layers.scattered(map_, int(map_.panel.rng.integers(20, 120)), map_.atmosphere.land)
    values = field[rows.round().astype(int), columns.round().astype(int)]
    for place_x, place_y, value in list(zip(x, y, values, strict=True))[:14]:
        map_.axes.text(place_x, place_y, f"{value:.0f}", fontsize=map_.panel.style.font_size * 0.65, ha="center",
                       color="black", bbox={"boxstyle": "round", "facecolor": "white", "alpha": 0.7, "pad": 0.2},
                       zorder=9)  # fmt: skip


@chart(("逐网格浓度", "Layer 1 PM25[1]"), ("SO2柱浓度", "SO2 column"), ("空气质量模式", "CMAQ Layer 1 O3[1]"),
       elements=("air_quality",), weight=1.8)  # fmt: skip
def gridded_concentration(panel: Panel) -> None:
    """A model's lowest layer in jet-coloured cells or smooth classes, thin coasts, its extremes in print below."""
    look = WHITE | {"ticks": "plain", "colour_bar": "right", "coast_width": 0.5, "bar_fraction": 1.0, "margin": 2.5}
    with restyled(panel, **look, title="centre") as plain:
        map_ = open_map(plain, (*PROVINCES, "taiwan", "taiwan", "east_asia"), columns=int(plain.pick(40, 70, 120)))
        source = fields.smooth_noise(plain.rng, map_.frame.shape, map_.frame.shape[1] / 4, 1.8)
        field = np.clip(1 + 0.6 * source + 0.3 * map_.atmosphere.land, 0, None) ** 2 * plain.rng.uniform(0.001, 60)
        levels = np.linspace(0, 0.8 * float(field.max()), int(plain.pick(8, 12, 20)))
        table = palettes.by_name(str(plain.pick("jet", "jet", "rainbow", "turbo")))
        norm = BoundaryNorm(levels, table.N, extend="max")
        shown = np.ma.masked_less(field, levels[1]) if plain.chance(0.25) else field
        mappable = map_.axes.imshow(shown, extent=map_.frame.extent, origin="lower", aspect="auto", cmap=table,
                                    norm=norm, interpolation=str(plain.pick("nearest", "bilinear")))  # fmt: skip
        lines_over(map_)
        graticule(map_)
        plain.title(map_.axes)
        plain.colour_bar(map_.axes, mappable, "")
        _extremes(map_, field)


def _extremes(map_: Map, field: np.ndarray) -> None:
    """The line of small print that model viewers put below the axes."""
    places = [np.unravel_index(index, field.shape) for index in (field.argmin(), field.argmax())]
    low, high = (f"({column + 1}, {row + 1}) = {field[row, column]:.3f}" for row, column in places)
    text = f"{map_.panel.story.valid:%B %d, %Y %H:00:00} UTC\nMin {low}, Max {high}"
    map_.axes.text(0.5, -0.13, text, ha="center", va="top", transform=map_.axes.transAxes,
                   fontsize=map_.panel.style.font_size * 0.7)  # fmt: skip
