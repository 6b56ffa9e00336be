"""What lies on a map: filled fields, isolines, wind, streamlines, marks of highs and lows, values at stations."""

from collections.abc import Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import BoundaryNorm, Colormap
from matplotlib.contour import QuadContourSet
from matplotlib.image import AxesImage
from matplotlib.patheffects import withStroke
from scipy import ndimage

from meteo_ray.drawing import fields
from meteo_ray.drawing.maps import Map
from meteo_ray.drawing.panel import nice_levels
from meteo_ray.drawing.story import PLACES

WIND_COLOURS = ("black",) * 6 + ("#333333", "#1020a0", "#7a0019", "white", "#005500")


def fill(
    map_: Map,
    field: np.ndarray,
    kind: str,
    levels: Sequence[float] | np.ndarray | None = None,
    above: float | None = None,
    china_only: bool = False,
) -> ScalarMappable:
    """Colour `field` by `levels` (chosen from its range when None) in the style's manner.

    Values below `above` (the lowest level) are left unpainted; `china_only` cuts everything off at the border.
    """
    panel = map_.panel
    if levels is None:
        low, high = (float(value) for value in np.nanquantile(field, [0.005, 0.995]))
        if above is not None:  # at least two classes, even where hardly anything exceeds the lowest level
            low, high = above, max(high, above + 0.1 * abs(above) + 1e-6)
        levels = nice_levels(low, high, panel.style.levels)
        levels = levels if above is None else np.append(above, levels[levels > above])
    colours, norm = panel.colours(kind, levels)
    shown = colours if above is None else colours.with_extremes(under=(0, 0, 0, 0))
    mappable = _paint(map_, np.ma.masked_invalid(field), shown, norm, np.asarray(levels), cut=above is not None)
    if china_only:
        map_.clip_to_china(mappable)
    return mappable


def _paint(
    map_: Map, field: np.ma.MaskedArray, colours: Colormap, norm: BoundaryNorm, levels: np.ndarray, cut: bool
) -> QuadContourSet | AxesImage:
    frame, mode = map_.frame, map_.panel.style.fill
    if mode == "contourf":
        extend = "max" if cut else "both"
        return map_.axes.contourf(frame.x, frame.y, field, levels, cmap=colours, norm=norm, extend=extend, zorder=2)
    step = int(map_.panel.rng.integers(1, 4)) if mode == "blocks" else 1
    return map_.axes.imshow(
        field[::step, ::step],
        extent=frame.extent,
        origin="lower",
        aspect="auto",
        cmap=colours,
        norm=norm,
        zorder=2,
        interpolation="bilinear" if mode == "smooth" else "nearest",
    )


def isolines(
    map_: Map,
    field: np.ndarray,
    step: float | None = None,
    colour: str | None = None,
    numbers: bool = True,
    width: float | None = None,
    dashed: bool = False,
) -> QuadContourSet:
    """Contour `field` every `step`, some lines numbered."""
    panel, frame = map_.panel, map_.frame
    low, high = float(np.nanmin(field)), float(np.nanmax(field))
    if step is None or (high - low) / step > 40 or (high - low) / step < 3:
        levels = nice_levels(low, high, int(panel.rng.integers(6, 16)))
    else:
        levels = np.arange(np.floor(low / step), np.ceil(high / step) + 1) * step
    colour = colour or ("white" if panel.style.dark_map else str(panel.pick("black", "black", "#1f2f9f", "#444444")))
    lines = map_.axes.contour(
        frame.x, frame.y, field, levels, colors=colour, linewidths=width or panel.style.contour_width,
        linestyles="dashed" if dashed else "solid", zorder=7,
    )  # fmt: skip
    if numbers and panel.chance(0.85):
        size = max(panel.style.font_size * 0.75, 5)
        lines.clabel(levels[:: max(1, len(levels) // 9)], fontsize=size, inline=True, inline_spacing=2, fmt="%g")
    return lines


def _wind_points(map_: Map, spacing_pixels: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the frame's grid that stand about `spacing_pixels` apart on the image."""
    box = map_.axes.get_position()
    pixels = box.width * map_.panel.style.size[0]
    step = max(1, round(map_.frame.shape[1] * spacing_pixels / pixels))
    rows, columns = np.meshgrid(
        np.arange(step // 2, map_.frame.shape[0], step), np.arange(step // 2, map_.frame.shape[1], step), indexing="ij"
    )
    return rows.ravel(), columns.ravel()


def wind(
    map_: Map, u: np.ndarray, v: np.ndarray, where: np.ndarray | None = None, colour: str | None = None,
    manner: str | None = None,
) -> None:  # fmt: skip
    """Wind (m/s along the grid) as barbs (in knots or 4 m/s flags), arrows or streamlines, as the style has it."""
    panel, frame = map_.panel, map_.frame
    manner = manner or panel.style.wind
    colour = colour or ("white" if panel.style.dark_map else str(panel.pick(*WIND_COLOURS)))
    if manner == "streamlines":
        streamlines(map_, u, v, colour)
        return
    em = panel.style.font_size * panel.style.dpi / 72
    rows, columns = _wind_points(map_, float(panel.rng.uniform(2.0, 3.2)) * em)
    if where is not None:
        keep = where[rows, columns]
        rows, columns = rows[keep], columns[keep]
    if not len(rows):
        return
    x, y, u, v = frame.x[columns], frame.y[rows], u[rows, columns], v[rows, columns]
    if manner == "barbs":
        south = frame.lat[rows, columns] < 0
        # Chinese charts give a full barb 4 m/s, western ones 10 knots (5 m/s).
        unit = 2.0 if panel.style.chinese else 2.5
        increments = {"half": unit, "full": 2 * unit, "flag": 10 * unit}
        map_.axes.barbs(x, y, u, v, length=float(np.clip(0.6 * panel.style.font_size, 4, 7)), linewidth=0.6,
                        color=colour, barb_increments=increments, flip_barb=south, zorder=8)  # fmt: skip
    else:
        reach = max(float(np.quantile(np.hypot(u, v), 0.95)), 1e-6)
        arrows = map_.axes.quiver(x, y, u, v, color=colour, scale=reach * 28, width=0.0022, zorder=8)
        if panel.chance(0.4):
            speed = float(nice_levels(0, reach, 1)[-1])
            map_.axes.quiverkey(arrows, 0.92, 1.02, speed, f"{speed:g} m/s", fontproperties={"size": 7}, labelpos="W")


def streamlines(map_: Map, u: np.ndarray, v: np.ndarray, colour: str, seeds: int = 170, steps: int = 46) -> None:
    """Short streamlines from scattered seeds, each ending in an arrow; all are integrated at once (midpoint rule)."""
    rng, (height, width) = map_.panel.rng, map_.frame.shape
    side = np.sqrt(height * width / seeds)
    rows, columns = (axis.ravel() for axis in np.mgrid[side / 2 : height : side, side / 2 : width : side])
    position = np.stack([rows, columns]) + rng.uniform(-side / 3, side / 3, (2, len(rows)))
    speed = np.maximum(np.hypot(u, v), 1e-9)
    directions = np.stack([v / speed, u / speed])
    track = [position]
    stride = 3.2 * side / steps
    for _ in range(steps):
        half = position + 0.5 * stride * _at(directions, position)
        position = position + stride * _at(directions, half)
        track.append(position)
    lines = np.stack(track)  # (steps, 2, seeds)
    x = map_.frame.x0 + lines[:, 1] / (width - 1) * (map_.frame.x1 - map_.frame.x0)
    y = map_.frame.y0 + lines[:, 0] / (height - 1) * (map_.frame.y1 - map_.frame.y0)
    map_.axes.add_collection(
        LineCollection(list(np.stack([x.T, y.T], axis=-1)), colors=colour, linewidths=0.8, zorder=8), autolim=False
    )
    middle = steps // 2
    map_.axes.quiver(x[middle], y[middle], x[middle + 1] - x[middle], y[middle + 1] - y[middle], color=colour,
                     angles="xy", scale_units="width", units="width", width=0.0015, headwidth=7, headlength=8,
                     scale=1e9, minlength=0, minshaft=0.1, zorder=8)  # fmt: skip


def _at(directions: np.ndarray, position: np.ndarray) -> np.ndarray:
    return np.stack([ndimage.map_coordinates(part, position, order=1, mode="nearest") for part in directions])


def highs_and_lows(map_: Map, field: np.ndarray, values: bool = True) -> None:
    """Letters at the extremes of pressure or height, in red for lows and blue for highs as most offices have it."""
    panel, frame = map_.panel, map_.frame
    size = max(9, field.shape[1] // 7)
    high_letter, low_letter = panel.pick(("高", "低"), ("H", "L"), ("G", "D")) if panel.style.chinese else ("H", "L")
    swapped = panel.chance(0.3)
    high_colour, low_colour = ("#c00000", "#0030c0") if swapped else ("#0030c0", "#c00000")
    for positions, letter, colour in zip(
        fields.extrema(ndimage.gaussian_filter(field, 1), size, margin=5), (high_letter, low_letter),
        (high_colour, low_colour), strict=True,
    ):  # fmt: skip
        for row, column in positions[:8]:
            x, y = frame.x[column], frame.y[row]
            map_.axes.text(
                x,
                y,
                letter,
                color=colour,
                fontsize=panel.style.font_size * 1.6,
                ha="center",
                va="center",
                weight="bold",
                zorder=10,
                path_effects=[withStroke(linewidth=1.5, foreground="white")],
            )
            if values:
                map_.axes.annotate(f"{field[row, column]:.0f}", (x, y), (0, -panel.style.font_size * 1.5),
                                   textcoords="offset points", fontsize=panel.style.font_size * 0.8, color=colour,
                                   ha="center", va="center", zorder=10)  # fmt: skip


def places(map_: Map, values: np.ndarray | None = None) -> None:
    """Dots and names of cities on the map, with `values` of the field there when given."""
    panel, frame = map_.panel, map_.frame
    x, y = frame.project(np.array([p.lon for p in PLACES]), np.array([p.lat for p in PLACES]))
    for index in np.flatnonzero(frame.inside(x, y, 0.03)):
        name = panel.words(PLACES[index].zh, PLACES[index].en)
        if values is not None:
            row, column = grid_position(map_, x[index], y[index])
            name = f"{name} {values[row, column]:.0f}"
        map_.axes.plot(x[index], y[index], "o", markersize=2.5, color="black", zorder=9)
        map_.axes.annotate(name, (x[index], y[index]), (3, 2), textcoords="offset points", color="black",
                           fontsize=panel.style.font_size * 0.75, zorder=9)  # fmt: skip


def grid_position(map_: Map, x: float, y: float) -> tuple[int, int]:
    """The grid's row and column nearest to a point in projected metres."""
    frame = map_.frame
    row = round((y - frame.y0) / (frame.y1 - frame.y0) * (frame.shape[0] - 1))
    column = round((x - frame.x0) / (frame.x1 - frame.x0) * (frame.shape[1] - 1))
    return int(np.clip(row, 0, frame.shape[0] - 1)), int(np.clip(column, 0, frame.shape[1] - 1))


def scattered(
    map_: Map, count: int, inside: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Random station positions: x, y in metres and their grid rows and columns, only where `inside` holds."""
    rng, (height, width) = map_.panel.rng, map_.frame.shape
    rows, columns = rng.uniform(1, height - 2, count), rng.uniform(1, width - 2, count)
    if inside is not None:
        keep = inside[rows.round().astype(int), columns.round().astype(int)]
        rows, columns = rows[keep], columns[keep]
    frame = map_.frame
    x = frame.x0 + columns / (width - 1) * (frame.x1 - frame.x0)
    y = frame.y0 + rows / (height - 1) * (frame.y1 - frame.y0)
    return x, y, rows, columns


def station_dots(map_: Map, field: np.ndarray, kind: str, levels: np.ndarray, count: int) -> ScalarMappable:
    """Coloured dots (or small squares) with the field's values at scattered stations on land."""
    panel = map_.panel
    x, y, rows, columns = scattered(map_, count, map_.atmosphere.land)
    colours, norm = panel.colours(kind, levels)
    values = fields.sample(field, rows, columns)
    return map_.axes.scatter(
        x, y, c=values, cmap=colours, norm=norm, s=_dot_area(map_),
        marker=str(panel.pick("o", "o", "s", "^")), linewidths=0.3,
        edgecolors="black" if panel.chance(0.4) else "face", zorder=7,
    )  # fmt: skip


def _dot_area(map_: Map) -> float:
    """Area in square points of a station's dot: between a 180th and a 60th of the picture's width across."""
    style = map_.panel.style
    pixels = style.size[0] * float(map_.panel.rng.uniform(1 / 180, 1 / 60))
    return (pixels * 72 / style.dpi) ** 2


def station_numbers(map_: Map, field: np.ndarray, count: int, colour: str | None = None) -> None:
    """The field's values printed at scattered places of land."""
    panel = map_.panel
    x, y, rows, columns = scattered(map_, count, map_.atmosphere.land)
    values = fields.sample(field, rows, columns)
    for point_x, point_y, value in zip(x, y, values, strict=True):
        map_.axes.text(point_x, point_y, f"{value:.0f}", fontsize=panel.style.font_size * 0.7, ha="center",
                       va="center", color=colour or "black", zorder=9, clip_on=True)  # fmt: skip
