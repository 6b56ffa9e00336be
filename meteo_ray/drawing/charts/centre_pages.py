"""Pages of large forecast centres: bare maps of the world, and square maps under small print and a scale."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap

from meteo_ray.drawing import fields, layers
from meteo_ray.drawing.charts.general import FILLS, LINES
from meteo_ray.drawing.charts.looks import BLEED, WHITE, filaments, place_map, plain_frame, restyled
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.frames import REGIONS, Frame
from meteo_ray.drawing.maps import Map, graticule, ground, lines_over
from meteo_ray.drawing.panel import Panel, nice_levels

WORLD_LINES = ("potential_vorticity", "precipitation", "humidity", "geopotential_height", "cloud", "temperature")
_FILAMENTS = ("precipitation", "humidity", "cloud", "potential_vorticity")  # what the flow draws out to threads
_SHADES = {  # element -> the colours that its patches take, weakest first
    "precipitation": ("#c8ffff", "#60d0ff", "#3060ff", "#1000b0", "#e040ff"),
    "cloud": ("#e8e8e8", "#b0b0b0", "#808080", "#606060"),
    "potential_vorticity": ("#f0f0f0", "#d0d0d0", "#b0b0d8"),
    "humidity": ("#7a0000", "#c01010", "#f06060", "#ffe0e0"),
    "instability": ("#fff0a0", "#ffb040", "#ff4000"),
}


def _world(panel: Panel) -> Map:
    """The whole Earth or most of it from edge to edge, with thin grey coasts."""
    page = panel.pixels[0] / panel.pixels[1]
    map_ = place_map(panel, plain_frame(panel, ("world",), 190, page))
    map_.axes.axis("off")
    if panel.chance(0.4):  # the page's shape rather than the Earth's: the polar seas or the sides are cut off
        map_.axes.set_position(panel.rect)
        half = 0.5 * page * (map_.frame.y1 - map_.frame.y0)
        map_.axes.set_xlim(max(-half, map_.frame.x0), min(half, map_.frame.x1))
    return map_


def _finish_world(map_: Map) -> None:
    """Thin coasts, now and then a graticule, and the maker's name in small letters at the lower right."""
    panel = map_.panel
    lines_over(map_)
    graticule(map_)
    map_.axes.text(0.985, 0.03, str(panel.pick("METVIEW", "WMS", "ENSEMBLE", "open-charts")), ha="right", weight="bold",
                   transform=map_.axes.transAxes, color=str(panel.pick("#2060c0", "#404040")),
                   fontsize=panel.style.font_size * 0.8, zorder=12)  # fmt: skip


def _web_map_style(panel: Panel) -> dict[str, object]:
    coast, grid = str(panel.pick("#777777", "#999999", "#555555")), str(panel.pick("none", "none", "dotted"))
    look = BLEED | WHITE | {"coast_width": 0.6, "borders": "none", "resolution": "l", "logo": False}
    return look | {"coast": coast, "grid": grid}


@chart(("全球等值线", "Global isolines"), ("网络地图服务图层", "WMS layer"), weight=1.8)
def world_lines(panel: Panel) -> None:
    """A few thin isolines of one colour on a white world."""
    with restyled(panel, **_web_map_style(panel)) as plain:
        map_ = _world(plain)
        element = str(plain.pick(*WORLD_LINES))
        field = filaments(plain.rng, map_.frame.shape) if element in _FILAMENTS else FILLS[element][0](map_)
        share = np.linspace(0.85 if element in _FILAMENTS else 0.1, 0.96,
                            int(plain.rng.integers(1, 6)))  # fmt: skip
        levels = np.unique(np.round(np.quantile(field, share), 3))
        colour = str(plain.pick("black", "#d000d0", "#3030c0", "#555555", "#c02020", "#208030"))
        map_.axes.contour(map_.frame.x, map_.frame.y, field, levels, colors=colour,
                          linewidths=float(plain.rng.uniform(0.4, 0.9)), zorder=7)  # fmt: skip
        plain.shown.add(element)
        _finish_world(map_)


@chart(("全球分布", "Global layer"), ("全球要素", "Global field"), weight=2)
def world_shading(panel: Panel) -> None:
    """Shaded patches on a white world: storm-track rain, grey cloud, red humidity, with dark lines at times."""
    with restyled(panel, **_web_map_style(panel)) as plain:
        map_ = _world(plain)
        element = str(plain.pick("precipitation", "precipitation", "cloud", "cloud", *_SHADES))
        field = FILLS[element][0](map_)
        if element == "precipitation":
            belt = np.exp(-(((np.abs(map_.atmosphere.lat) - 58) / 9) ** 2)) * np.where(map_.atmosphere.lat < 0, 1, 0.4)
            rough = fields.smooth_noise(plain.rng, map_.frame.shape, 22, 2)
            field = fields.patches(2.6 * belt + rough, float(plain.rng.uniform(0.06, 0.2)))
        elif element in _FILAMENTS:
            field = filaments(plain.rng, map_.frame.shape) + 0.8 * np.exp(-((map_.atmosphere.lat / 25) ** 2))
        lowest = 0.0 if element in ("humidity", "instability") else 0.55
        _shade(map_, field, _SHADES[element], lowest)
        plain.shown.add(element)
        _finish_world(map_)


def _shade(map_: Map, field: np.ndarray, colours: tuple[str, ...], lowest: float) -> ScalarMappable:
    """Fill what lies above the quantile `lowest` in classes of `colours`, some with dark edges."""
    low, high = (float(value) for value in np.quantile(field, [lowest, 1.0]))
    levels = np.linspace(low + (0.02 * (high - low) + 1e-6 if lowest else 0), high + 1e-5, len(colours) + 1)
    filled = map_.axes.contourf(map_.frame.x, map_.frame.y, field, levels, colors=colours)
    if map_.panel.chance(0.4):
        map_.axes.contour(map_.frame.x, map_.frame.y, field, levels[::2], colors=colours[-1], linewidths=0.5, zorder=5)
    return filled


_CENTRE_COLOURS = (
    ("#f6d0f6", "#e070e0", "#c030c0", "#800080"),
    ("#ffe060", "#ffb030", "#ff7020", "#e02030", "#c01070", "#ff40ff"),
    ("#00ffff", "#0060ff", "#8000ff"),
    ("#fff8a0", "#60d0f0", "#f0e030", "#3070c0", "#ff9020"),
    ("#e8c8f0", "#b070d0", "#703090"),
    ("#4040c0", "#40a0f0", "#a0f0a0", "#ffff60", "#ff8020", "#c00000"),
    ("#e0ffe0", "#60c060", "#108040", "#004020"),
)


@chart(("中心预报页", "Centre forecast chart"), ("集合平均与离散度", "Ensemble mean and spread"),
       ("概率预报", "Probability forecast"), weight=3, panels=False)  # fmt: skip
def centre_page(panel: Panel) -> None:
    """Small centred print, a flat scale, a square map over beige land, and more small print."""
    beige = str(panel.pick("#fbd9a0", "#fbe0b0", "#f5e6c8"))
    changes = WHITE | {"land": beige, "grid": str(panel.pick("dashed", "dotted", "solid")), "title": "none",
                       "ticks": "none", "colour_bar": "none", "borders": "thin", "coast_width": 0.8}  # fmt: skip
    with restyled(panel, **changes) as plain:
        x, y, width, height = plain.rect
        inner = Panel(plain.figure, (x, y + 0.1 * height, width, 0.72 * height), plain.style, plain.rng, plain.story)
        map_ = place_map(inner, _square_frame(plain))
        ground(map_)
        element = str(plain.pick(*FILLS))
        mappable = _centre_fill(map_, FILLS[element][0](map_))
        plain.shown.add(element)
        lined = str(plain.pick(*LINES))
        if plain.chance(0.6):
            layers.isolines(map_, LINES[lined](map_), None, str(plain.pick("black", "#404040", "#6a0050")))
            plain.shown.add(lined)
        lines_over(map_)
        graticule(map_)
        _small_print(plain, map_, mappable)


def _square_frame(panel: Panel) -> Frame:
    region = REGIONS[str(panel.pick("europe", "europe", "europe", "north_atlantic", "east_asia", "north_america"))]
    kind = str(panel.pick("lambert", "stereographic", "stereographic", "latlon"))
    half = region.half_lat * float(panel.rng.uniform(0.7, 1.2))
    frame = Frame.around(kind, region.lon, region.lat, half * 1.4, half, 130, 1.0)
    side = min(frame.x1 - frame.x0, frame.y1 - frame.y0) / 2
    middle_x, middle_y = (frame.x0 + frame.x1) / 2, (frame.y0 + frame.y1) / 2
    return Frame(kind, frame.projection, middle_x - side, middle_x + side, middle_y - side, middle_y + side, (130, 130))


def _centre_fill(map_: Map, field: np.ndarray) -> ScalarMappable:
    """All of the map in bands, or only what exceeds a threshold, so that land shows between."""
    panel = map_.panel
    quantiles = [0.02, 0.98] if panel.chance(0.5) else [float(panel.rng.uniform(0.3, 0.75)), 0.995]
    low, high = (float(value) for value in np.quantile(field, quantiles))
    levels = nice_levels(low, high + 1e-6, int(panel.rng.integers(4, 16)))
    colours = panel.pick(*_CENTRE_COLOURS)
    table = LinearSegmentedColormap.from_list("centre", list(colours))
    extend = "both" if quantiles[0] < 0.1 else "max"
    return map_.axes.contourf(map_.frame.x, map_.frame.y, field, levels, cmap=table, extend=extend, zorder=2)


def _small_print(panel: Panel, map_: Map, mappable: ScalarMappable) -> None:
    """The lines above and below the map, and the scale between."""
    box, story, size = map_.axes.get_position(), panel.story, panel.style.font_size * 0.75
    middle, line = box.x0 + box.width / 2, 1.3 * size * panel.style.dpi / 72 / panel.style.size[1]
    header = (
        f"{panel.words(*panel.names)}",
        f"START TIME: {story.issued:%A %d %B %Y %H} UTC",
        f"VALID TIME: {story.valid:%A %d %B %Y %H} UTC   T+{story.lead_hours}",
    )
    bar_axes = panel.figure.add_axes((box.x0, box.y1 + 1.3 * line, box.width, 0.8 * line))
    bar = panel.figure.colorbar(mappable, cax=bar_axes, orientation="horizontal", drawedges=True)
    bar_axes.xaxis.set_ticks_position("top")
    bar.ax.tick_params(labelsize=size * 0.8, length=1)
    panel.figure.text(middle, box.y1 + 4.0 * line, "\n".join(header), ha="center", va="bottom", fontsize=size)
    year = f"(C) {story.issued:%Y} {story.office(False)}"
    footer = f"{year}   Source: www.example.org   Licence: CC BY 4.0\nCreated at {story.valid:%Y-%m-%dT%H:%M:%S}Z"
    panel.figure.text(middle, box.y0 - 0.8 * line, footer, ha="center", va="top", fontsize=size * 0.75)
