"""Raw fields as plotting libraries draw them unasked: no coastline, default colours, the array's own names."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable

from meteo_ray.drawing import fields, layers
from meteo_ray.drawing.charts.general import FILLS
from meteo_ray.drawing.charts.looks import BLEED, WHITE, plain_frame, restyled
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.maps import ABROAD, ASIA, OCEANS, Map, lines_over, open_map
from meteo_ray.drawing.panel import Panel, nice_levels

EVERYWHERE = (*ASIA, *ABROAD, *OCEANS, "world", "world", "world", "world")
DEFAULTS = ("viridis", "viridis", "viridis", "plasma", "jet", "Reds", "Blues", "rainbow", "turbo", "RdBu_r", "inferno")
LONG_NAMES = {
    "temperature": "2 metre temperature",
    "humidity": "Relative humidity",
    "geopotential_height": "Geopotential height",
    "wind": "10 metre wind speed",
    "vorticity": "Vorticity (relative)",
    "vertical_velocity": "Vertical velocity",
    "divergence": "Divergence",
    "potential_vorticity": "Potential vorticity",
    "precipitation": "Total precipitation",
    "cloud": "Total cloud cover",
    "instability": "Convective available potential energy",
    "dew_point": "2 metre dewpoint temperature",
    "freezing_level": "Height of zero deg",
}


def _field(panel: Panel, axes: Axes, aspect: float) -> tuple[str, Map, np.ndarray]:
    """Any element's field on a coarse or fine grid of a window anywhere; the element is noted as shown."""
    element = str(panel.pick(*FILLS, "temperature", "temperature", "wind", "wind", "humidity"))
    map_ = Map(panel, axes, plain_frame(panel, EVERYWHERE, int(panel.pick(24, 48, 90, 140)), aspect))
    panel.shown.add(element)
    return element, map_, FILLS[element][0](map_)


def _image(panel: Panel, axes: Axes, field: np.ndarray, extent: tuple[float, float, float, float]) -> ScalarMappable:
    """The array as coloured cells, smooth colours or classes filling the axes."""
    table = str(panel.pick(*DEFAULTS))
    if panel.chance(0.25):
        return axes.contourf(field, int(panel.pick(7, 12, 20, 60)), cmap=table, extent=extent)
    interpolation = str(panel.pick("nearest", "nearest", "bilinear"))
    return axes.imshow(field, extent=extent, origin="lower", aspect="auto", cmap=table, interpolation=interpolation)


def _array_axes(panel: Panel, axes: Axes, map_: Map) -> tuple[float, float, float, float]:
    """Name both axes after the array's coordinates and return the extent in those: degrees, or grid numbers."""
    rows, columns = map_.frame.shape
    if panel.chance(0.3):
        size = int(panel.pick(1, 5, 20))
        axes.set(xlabel="x", ylabel="y")
        return 0, columns * size, 0, rows * size
    axes.set(xlabel=str(panel.pick("longitude [degrees_east]", "longitude", "lon")))
    axes.set(ylabel=str(panel.pick("latitude [degrees_north]", "latitude", "lat")))
    west = float(map_.frame.lon[0, 0]) % 360
    return west, west + 360 * map_.frame.width_km / 40030, float(map_.frame.lat[0, 0]), float(map_.frame.lat[-1, 0])


def _coordinates_title(panel: Panel) -> str:
    """The scalar coordinates of an array's slice, as xarray prints them, cut off when too long."""
    day, hours = panel.story.issued, panel.story.lead_hours
    return str(
        panel.pick(
            f"time = {day:%Y-%m-%d}, step = {hours // 24} days 00:00:00, heig...",
            f"time = {day:%Y-%m-%dT%H:%M:%S}",
            f"time = {day:%Y-%m-%d}, step = {hours // 24} days {hours % 24:02d}:00:00, isob...",
            f"valid_time = {panel.story.valid:%Y-%m-%dT%H}, isobaricInhPa = 500.0",
            "",
        )
    )


def _upright_scale(panel: Panel, axes: Axes, mappable: ScalarMappable, label: str) -> None:
    panel.figure.colorbar(mappable, ax=axes, label=label, pad=0.04, fraction=float(panel.rng.uniform(0.05, 0.12)))


@chart(("数组切片", "xarray DataArray plot"), ("默认绘图", "ds.plot()"), weight=3)
def raw_array(panel: Panel) -> None:
    """A slice of an array with labelled axes, its coordinates as title and an upright scale with the long name."""
    changes = WHITE | {"title": "none", "margin": 2.5}
    with restyled(panel, **changes) as plain:
        shape = float(panel.pick(1.0, 1.0, 1.25, 1.6))
        axes = plain.axes(labels=True, aspect=shape)
        element, map_, field = _field(plain, axes, shape)
        mappable = _image(plain, axes, field, _array_axes(plain, axes, map_))
        axes.set_title(_coordinates_title(plain), fontsize=plain.style.font_size * 1.1)
        _upright_scale(plain, axes, mappable, f"{LONG_NAMES[element]} [{FILLS[element][2]}]")


@chart(("要素场", "Field image"), ("网格场", "Grid data"), weight=2)
def bare_field(panel: Panel) -> None:
    """A field that fills the picture to its edges, or a block on white paper, with coasts or none."""
    changes = BLEED | {"coast": str(panel.pick("black", "white", "#00e0e0", "#3a1a1a")), "borders": "thin"}
    if panel.chance(0.3):
        changes |= {"margin": 4.0, "background": "white"}
    with restyled(panel, **changes) as plain:
        room = plain.room(False, False)
        axes = plain.figure.add_axes(room)
        aspect = room[2] * plain.style.size[0] / (room[3] * plain.style.size[1])
        _, map_, field = _field(plain, axes, aspect)
        _image(plain, axes, field, map_.frame.extent)
        frame = map_.frame
        axes.set(xlim=(frame.x0, frame.x1), ylim=(frame.y0, frame.y1), xticks=[], yticks=[])
        if plain.chance(0.4):
            lines_over(map_)


@chart(("纬向平均温度", "Time-mean temperature"), ("全球温度", "air_temperature (monthly mean)"),
       elements=("temperature",), weight=1)  # fmt: skip
def zonal_bands(panel: Panel) -> None:
    """Global temperature in bands along the parallels, warm at the equator, hardly disturbed."""
    changes = WHITE | {"title": "none", "margin": 2.5}
    with restyled(panel, **changes) as plain:
        axes = plain.axes(labels=True, aspect=float(panel.pick(1.0, 1.0, 1.8)))
        rows, columns = int(panel.pick(37, 73, 121)), int(panel.pick(72, 144))
        lat = np.linspace(-90, 90, rows)[:, None]
        disturbed = fields.smooth_noise(panel.rng, (rows, columns), columns / 3, 2.2)
        tilt = panel.rng.uniform(-0.12, 0.12)
        field = 248 + 48 * np.cos(np.radians(lat)) ** 1.3 + 40 * tilt * lat / 90 + panel.rng.uniform(0.5, 4) * disturbed
        mappable = _image(plain, axes, field, (0, 360, -90, 90))
        axes.set(xlabel="longitude [degrees_east]", ylabel="latitude [degrees_north]")
        axes.set_title(_coordinates_title(plain), fontsize=plain.style.font_size * 1.1)
        _upright_scale(plain, axes, mappable, "Time-mean temperature [K]")


@chart(("等级填色", "Filled contours"), ("WRF输出", "wrfout"), weight=1.4)
def few_classes(panel: Panel) -> None:
    """A map in a handful of strong colours with thick black lines between them, on much empty paper."""
    changes = WHITE | {"colour_bar": "right", "bar_pointed": True, "title": str(panel.pick("none", "bare")),
                       "margin": float(panel.pick(3, 6)), "fill": "contourf", "ticks": "none"}  # fmt: skip
    with restyled(panel, **changes) as plain:
        element = str(plain.pick(*FILLS))
        map_ = open_map(plain, (*ABROAD, "gulf_of_mexico", "japan", "taiwan", "china"))
        field = FILLS[element][0](map_)
        plain.shown.add(element)
        levels = nice_levels(float(field.min()), float(field.max()), int(plain.rng.integers(3, 9)))
        table = str(plain.pick("jet", "rainbow", "turbo"))
        mappable = map_.axes.contourf(map_.frame.x, map_.frame.y, field, levels, cmap=table)
        if plain.chance(0.7):
            layers.isolines(map_, field, float(levels[1] - levels[0]), "black", numbers=False)
        lines_over(map_)
        plain.title(map_.axes)
        plain.colour_bar(map_.axes, mappable)
