"""A map inside a panel: region, projection, outlines, graticule, and the layers that lie on it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.path import Path

from meteo_ray.drawing import outlines
from meteo_ray.drawing.atmosphere import Atmosphere
from meteo_ray.drawing.frames import REGIONS, Frame
from meteo_ray.drawing.panel import Panel

ASIA = ("china",) * 6 + ("east_asia",) * 4 + ("japan", "india")
NATION = ("china",) * 7 + ("east_asia",)
PROVINCES = ("north_china", "south_china", "yangtze", "sichuan", "northeast_china", "northwest_china", "taiwan")
ABROAD = ("europe", "europe", "north_america", "usa", "usa", "north_atlantic", "australia", "south_america", "africa",
          "central_europe", "british_isles", "great_plains", "gulf_of_mexico")  # fmt: skip
WIDE = ("north_hemisphere", "world", "south_hemisphere")
OCEANS = (
    ("northwest_pacific",) * 3
    + ("south_china_sea",) * 2
    + ("north_atlantic", "indian_ocean", "southeast_asia", "japan", "gulf_of_mexico", "tropical_pacific")
)
ANYWHERE = ASIA * 2 + PROVINCES + ABROAD * 2 + WIDE


@dataclass
class Map:
    """Axes in projected metres over a frame; `atmosphere` is this map's weather."""

    panel: Panel
    axes: Axes
    frame: Frame

    @cached_property
    def atmosphere(self) -> Atmosphere:
        return Atmosphere(self.frame, self.panel.rng.spawn(1)[0])

    @cached_property
    def china(self) -> np.ndarray:
        return outlines.is_china(self.frame.lon, self.frame.lat)

    def clip_to_china(self, *artists: Artist) -> None:
        """Show the artists inside the country only."""
        rings = [np.column_stack(self.frame.project(ring[:, 0], ring[:, 1])) for ring in outlines.china_rings()]
        path = Path.make_compound_path(*(Path(ring) for ring in rings))
        for artist in artists:
            artist.set_clip_path(path, self.axes.transData)


def open_map(
    panel: Panel, regions: tuple[str, ...] = ANYWHERE, bar: bool = True, columns: int = 0, zoom: float = 1.0
) -> Map:
    """Add a map of one of `regions` to the panel, its window moved and scaled a little."""
    rng, style = panel.rng, panel.style
    region = REGIONS[str(panel.pick(*regions))]
    labels = style.ticks != "none"
    room = panel.room(bar, labels)
    aspect = room[2] * style.size[0] / (room[3] * style.size[1])
    scale = zoom * rng.uniform(0.75, 1.05) if region.half_lon < 100 else 1.0
    shift = rng.uniform(-0.12, 0.12, 2) if region.half_lon < 100 else np.zeros(2)
    frame = Frame.around(
        str(panel.pick(*region.projections)),
        region.lon + shift[0] * region.half_lon,
        region.lat + shift[1] * region.half_lat,
        region.half_lon * scale,
        region.half_lat * scale,
        columns or int(rng.integers(80, 150)),
        min(aspect, 2.2),
    )
    axes = panel.axes(bar, labels, aspect=frame.aspect)
    axes.grid(False)
    axes.set(xlim=(frame.x0, frame.x1), ylim=(frame.y0, frame.y1), xticks=[], yticks=[])
    return Map(panel, axes, frame)


def ground(map_: Map, land: str | None = None, ocean: str | None = None) -> None:
    """Paint land and sea in the style's colours, or in those given; 'none' leaves the paper."""
    style = map_.panel.style
    land, ocean = land or style.land, ocean or style.ocean
    if land == "none" and ocean == "none":
        return
    pixels = map_.axes.get_position().width * style.size[0]
    step = max(1.0, pixels / 420)
    fine = Frame(map_.frame.kind, map_.frame.projection, *map_.frame.extent,
                 (round(pixels / step / map_.frame.aspect), round(pixels / step)))  # fmt: skip
    colours = np.zeros((*fine.shape, 4))
    colours[:] = to_rgba(ocean)
    colours[outlines.is_land(fine.lon, fine.lat)] = to_rgba(land)
    map_.axes.imshow(colours, extent=fine.extent, origin="lower", aspect="auto", zorder=0.5, interpolation="nearest")


def lines_over(map_: Map, colour: str | None = None, rivers: bool = False) -> None:
    """Coastlines and borders in the style's pen."""
    style, frame = map_.panel.style, map_.frame
    colour = colour or style.coast
    fine = "i" if frame.width_km < 4000 and style.resolution == "i" else "l"
    smallest = (frame.width_km / 250) ** 2  # islands smaller than about two pixels are only dirt
    width = style.coast_width * min(1.0, style.size[0] / 700)
    map_.axes.plot(*frame.outline("gshhs", fine, smallest), color=colour, linewidth=width, zorder=6)
    if style.borders != "none":
        thin = 0.6 if style.borders == "thin" else 1.0
        map_.axes.plot(*frame.outline("countries", fine), color=colour, linewidth=width * thin, zorder=6)
        if frame.width_km < 9000 and style.borders == "same":
            map_.axes.plot(*frame.outline("states", fine), color=colour, linewidth=width * 0.5, zorder=6)
    if rivers:
        map_.axes.plot(*frame.outline("rivers", "l"), color="#4a7fd0", linewidth=0.5, zorder=5)


def graticule(map_: Map) -> None:
    """Meridians, parallels and the numbers along two sides."""
    style, frame = map_.panel.style, map_.frame
    if style.ticks == "index" and frame.kind not in ("polar", "orthographic"):
        _index_ticks(map_)
        return
    lat_span = float(np.nanmax(frame.lat) - np.nanmin(frame.lat))
    step = next((s for s in (0.5, 1, 2, 5, 10, 20, 30) if lat_span / s < 6.5), 30)
    lon_step = 30 if frame.width_km > 12000 else step * (2 if frame.aspect > 1.6 and step < 20 else 1)
    if style.grid != "none":
        _grid_lines(map_, step, lon_step)
    if style.ticks != "none" and frame.kind not in ("polar", "orthographic", "geostationary"):
        _degree_ticks(map_, step, lon_step)


def _grid_lines(map_: Map, lat_step: float, lon_step: float) -> None:
    style, frame = map_.panel.style, map_.frame
    colour = "#888888"
    if style.grid == "crosses":
        lon, lat = np.meshgrid(np.arange(-180, 180, lon_step), np.arange(-80, 81, lat_step))
        map_.axes.plot(*frame.project(lon.ravel(), lat.ravel()), "+", color=colour, markersize=5, zorder=5)
        return
    segments = []
    along = np.linspace(-180, 180, 181)
    for lat in np.arange(-80, 81, lat_step):
        segments.append(np.column_stack(frame.project(along, np.full(181, lat))))
    for lon in np.arange(-180, 180, lon_step):
        segments.append(np.column_stack(frame.project(np.full(161, lon), np.linspace(-80, 80, 161))))
    wide = 0.5 * (frame.x1 - frame.x0)
    for segment in segments:
        segment[np.abs(np.diff(segment[:, 0], append=segment[-1:, 0])) > wide] = np.nan
    dashes = {"dotted": ":", "dashed": "--", "solid": "-"}[style.grid]
    map_.axes.add_collection(
        LineCollection(segments, colors=colour, linewidths=0.5, linestyles=dashes, zorder=5), autolim=False
    )


def _degree_ticks(map_: Map, lat_step: float, lon_step: float) -> None:
    frame, axes = map_.frame, map_.axes
    bottom, left = np.unwrap(frame.lon[0], period=360), frame.lat[:, 0]
    if np.all(np.diff(bottom) > 0):
        values = np.arange(np.ceil(bottom[0] / lon_step) * lon_step, bottom[-1], lon_step)
        axes.set_xticks(np.interp(values, bottom, frame.x), [_degrees(v, "EW", map_.panel) for v in values])
    if np.all(np.diff(left) > 0):
        values = np.arange(np.ceil(left[0] / lat_step) * lat_step, left[-1], lat_step)
        axes.set_yticks(np.interp(values, left, frame.y), [_degrees(v, "NS", map_.panel) for v in values])


def _degrees(value: float, letters: str, panel: Panel) -> str:
    value = (value + 180) % 360 - 180 if letters == "EW" else value
    if panel.style.ticks == "plain":
        return f"{value:g}"
    letter = letters[0] if value > 0 else letters[1] if value < 0 else ""
    return f"{abs(value):g}°{letter}"


def _index_ticks(map_: Map) -> None:
    """Grid numbers along the axes, as quick plots of model arrays have them."""
    frame, axes = map_.frame, map_.axes
    cells = int(map_.panel.rng.integers(40, 900))
    step = next(s for s in (5, 10, 20, 25, 50, 100, 200) if cells / s < 9)
    numbers = np.arange(0, cells, step)
    axes.set_xticks(frame.x0 + numbers / cells * (frame.x1 - frame.x0), [str(n) for n in numbers])
    tall = numbers[numbers < cells / frame.aspect]
    axes.set_yticks(frame.y0 + tall / cells * frame.aspect * (frame.y1 - frame.y0), [str(n) for n in tall])


def finish(map_: Map, mappable: ScalarMappable | None = None, label: str = "", coast: str | None = None) -> None:
    """Lay outlines, graticule, title and colour bar over what has been drawn."""
    lines_over(map_, coast)
    graticule(map_)
    map_.panel.title(map_.axes)
    if mappable is not None:
        map_.panel.colour_bar(map_.axes, mappable, label)
