"""Radar images as GRIB: which message holds the rain, what its values mean, and square pixels of it.

Grids whose pixels are squares of metres are taken as they are. Those of degrees (MRMS) have none: they are sampled by
nearest neighbour onto squares of kilometres, azimuthal equidistant about the middle of the grid. Distances from there
are true; across they are stretched by 1 % at 1500 km and by 5 % at 3500 km, the edges of a continent.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.grib import messages_of, valid_time, values_of

if TYPE_CHECKING:
    from eccodes.highlevel import GRIBMessage
    from pyproj import Proj

RATES = ("tprate", "prate", "rdpr", "rprate")
"""eccodes' names of rain rates; some centres' `tprate` is in m/s and something else."""

RATE_UNIT = "kg m**-2 s**-1"

REFLECTIVITIES = ("bref", "lmaxbr", "rare", "refc", "refd")
"""eccodes' names of reflectivities in dB(Z)."""

# MRMS has a discipline of its own, which eccodes does not know: category and number as NSSL's table of MRMS' GRIB2
# parameters has them. Values below say why there is none: of rates -1 missing, -3 outside of the radars' reach; of
# reflectivities -99 no echo, -999 outside.
MRMS = 209
MRMS_RATE = (6, 1)
MRMS_REFLECTIVITIES = ((3, 57), (3, 58), (8, 8), (10, 0), (10, 2), (11, 0), (11, 1), (11, 2), (11, 3))
UNSEEN_RATE, UNSEEN_DBZ = -0.5, -900.0
"""Below are codes; between -0.5 and 0 is what rounding makes of no rain."""

SECONDS_AN_HOUR = 3600

SQUARE = 0.01
"""By which share sides of a pixel may differ."""

KM_A_DEGREE = 111.2
"""Of latitude; of the sphere with a radius of 6371 km."""

ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
"""Pixels of so many km, or tenths or tens of them: what whole multiples make up other round sizes."""

WIDEST = 100.0
"""Degrees across which squares of km still mean something; the 70 of MRMS fit."""

ROWS_AT_ONCE = 256
"""How many rows are projected in one go: a continent at 1 km has 26 million pixels."""


@dataclass(frozen=True)
class Degrees:
    """A grid of latitudes and longitudes, north-west first: its corner, its steps, its size."""

    north: float
    west: float
    down: float
    right: float
    rows: int
    columns: int

    def __str__(self) -> str:
        return f"degrees from {self.north:.3f} N, {self.west:.3f} E in steps of {self.down:.4g} and {self.right:.4g}"


def grib_time(path: Path) -> datetime:
    """When the image was taken. Raises UsageError where the file cannot be read or holds no rain."""
    with _rain_of(path) as (message, _):
        return valid_time(message)


class GribImage(NamedTuple):
    """Rain of a file.

    Args:
        field: float64 `(rows, columns)` with the north first, NaN where unseen.
        unit: `mm/h` or `dBZ`.
        pixel_km: the side of a pixel.
        place: where on the earth it lies, in words; equal of equal grids.
    """

    field: np.ndarray
    unit: str
    pixel_km: float
    place: str


def read_grib_image(path: Path) -> GribImage:
    """The image of rain that a file holds.

    Raises:
        UsageError: when the file cannot be read, holds no rain or several images, or has pixels that are no squares.
    """
    with _rain_of(path) as (message, unit):
        field = _seen(message, unit)
        if message["gridType"] == "regular_ll":
            grid = _degrees_of(path, message)
            sampled, pixel_km = _sampling(grid)
            return GribImage(np.where(sampled < 0, np.nan, field.ravel()[sampled]), unit, pixel_km, str(grid))
        return GribImage(field, unit, _square_km(path, message), _place(message))


def _place(message: "GRIBMessage") -> str:
    """Of squares of metres: their first point for people, and a sum of all that describes the grid."""
    north, east = (message.get(f"{name}OfFirstGridPointInDegrees") for name in ("latitude", "longitude"))
    return f"{message['gridType']} from {_shown(north)} N, {_shown(east)} E (grid {message['md5GridSection'][:8]})"


def _shown(degrees: float | None) -> str:
    return "?" if degrees is None else f"{degrees:.3f}"


@contextmanager
def _rain_of(path: Path) -> Iterator[tuple["GRIBMessage", str]]:
    """The one message that holds rain, with its unit; rates go before reflectivities."""
    with messages_of(path) as messages:
        found: dict[str, list[GRIBMessage]] = {"mm/h": [], "dBZ": []}
        names = []
        for message in messages:
            names.append(_name(message))
            if unit := _unit(message):
                found[unit].append(message)
        unit = "mm/h" if found["mm/h"] else "dBZ"
        if not found[unit]:
            raise UsageError(
                f"{path}: holds neither a rain rate nor reflectivity, but {', '.join(dict.fromkeys(names))}"
            )
        if len(found[unit]) > 1:
            raise UsageError(f"{path}: holds {len(found[unit])} images of rain in {unit}; a file of its own for each")
        yield found[unit][0], unit


def _name(message: "GRIBMessage") -> str:
    if message["shortName"] != "unknown":
        return str(message["shortName"])
    keys = ("discipline", "parameterCategory", "parameterNumber")
    return "parameter " + ".".join(str(message.get(key, "-")) for key in keys)


def _unit(message: "GRIBMessage") -> str | None:
    """Of messages that hold rain."""
    name = message["shortName"]
    of_mrms = (message.get("parameterCategory"), message.get("parameterNumber"))
    known = message.get("discipline") == MRMS
    if (name in RATES and message["units"] == RATE_UNIT) or (known and of_mrms == MRMS_RATE):
        return "mm/h"
    if name in REFLECTIVITIES or (known and of_mrms in MRMS_REFLECTIVITIES):
        return "dBZ"
    return None


def _seen(message: "GRIBMessage", unit: str) -> np.ndarray:
    """Rain in `unit`, north-west first, NaN where the radars see nothing."""
    field = _north_first(message, values_of(message))
    if unit == "mm/h":
        field[field < UNSEEN_RATE] = np.nan
        return field if message.get("discipline") == MRMS else field * SECONDS_AN_HOUR
    field[field < UNSEEN_DBZ] = np.nan
    return field


def _north_first(message: "GRIBMessage", values: np.ndarray) -> np.ndarray:
    """Values in the order of the file -> `(rows, columns)`, rows from the north, columns from the west."""
    rows, columns = message["Nj"], message["Ni"]
    by_columns = bool(message.get("jPointsAreConsecutive", 0))
    field = values.reshape((columns, rows) if by_columns else (rows, columns))
    if message.get("alternativeRowScanning", 0):
        field[1::2] = field[1::2, ::-1]
    field = field.T if by_columns else field
    if message["iScansNegatively"]:
        field = field[:, ::-1]
    return field[::-1] if message["jScansPositively"] else field


def _square_km(path: Path, message: "GRIBMessage") -> float:
    """Raises UsageError for grids whose pixels are no squares of metres."""
    sides = [float(message.get(name, 0) or 0) / 1000 for name in ("DxInMetres", "DyInMetres")]
    if min(sides) <= 0 or abs(sides[0] - sides[1]) > SQUARE * sides[0]:
        told = f"{sides[0]:g} x {sides[1]:g} km"
        raise UsageError(
            f"{path}: a grid of {message['gridType']} with pixels of {told}; squares of metres and grids of latitudes "
            "and longitudes can be read"
        )
    return sides[0]


def _degrees_of(path: Path, message: "GRIBMessage") -> Degrees:
    rows, columns = message["Nj"], message["Ni"]
    if min(rows, columns) < 2:
        raise UsageError(f"{path}: {rows} x {columns} pixels are no image")
    latitudes = [message[f"latitudeOf{which}GridPointInDegrees"] for which in ("First", "Last")]
    west, east = (message[f"longitudeOf{which}GridPointInDegrees"] for which in ("First", "Last"))
    if message["iScansNegatively"]:
        west, east = east, west
    down, right = (max(latitudes) - min(latitudes)) / (rows - 1), ((east - west) % 360 or 360) / (columns - 1)
    if max(down * rows, right * columns) > WIDEST:
        raise UsageError(
            f"{path}: spans {right * columns:.0f} x {down * rows:.0f} degrees, too much for squares of km; cut out "
            f"at most {WIDEST:g}"
        )
    return Degrees(max(latitudes), west, down, right, rows, columns)


@lru_cache(maxsize=2)
def _sampling(grid: Degrees) -> tuple[np.ndarray, float]:
    """For squares of km, int32 `(rows, columns)`: the position of the nearest pixel, -1 outside; their size.

    The images of an event share a grid, and so this.
    """
    from pyproj import Proj

    middle = grid.north - grid.down * (grid.rows - 1) / 2
    pixel_km = _rounded(KM_A_DEGREE * math.sqrt(grid.down * grid.right * math.cos(math.radians(middle))))
    project = Proj(proj="aeqd", lat_0=middle, lon_0=grid.west + grid.right * (grid.columns - 1) / 2, units="km")
    across, up = _centres(project, grid, pixel_km)
    found = np.empty((len(up), len(across)), np.int32)
    for start in range(0, len(up), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        east, north = np.meshgrid(across, up[part])
        longitudes, latitudes = project(east, north, inverse=True)
        found[part] = _positions(grid, latitudes, longitudes)
    return found, pixel_km


def _rounded(km: float) -> float:
    """The nearest round size, by ratio."""
    power = 10.0 ** math.floor(math.log10(km))
    return min((power * size for size in ROUND), key=lambda size: abs(math.log(size / km)))


def _centres(project: "Proj", grid: Degrees, pixel_km: float) -> tuple[np.ndarray, np.ndarray]:
    """Of the squares that cover the grid, km east and, from the north, km north of its middle."""
    latitudes = grid.north - grid.down * np.arange(grid.rows)
    longitudes = grid.west + grid.right * np.arange(grid.columns)
    sides = [(longitudes, np.full(grid.columns, edge)) for edge in latitudes[[0, -1]]]
    sides += [(np.full(grid.rows, edge), latitudes) for edge in longitudes[[0, -1]]]
    east, north = (np.concatenate(each) for each in zip(*sides, strict=True))
    found = []
    for edge in project(east, north):
        count = math.floor((edge.max() - edge.min()) / pixel_km) + 1
        found.append((edge.max() + edge.min()) / 2 + pixel_km * (np.arange(count) - (count - 1) / 2))
    return found[0], found[1][::-1]


def _positions(grid: Degrees, latitudes: np.ndarray, longitudes: np.ndarray) -> np.ndarray:
    """Of the grid's pixels nearest to degrees, counted row by row; -1 outside of the grid."""
    row = np.rint((grid.north - latitudes) / grid.down)
    column = np.rint(((longitudes - grid.west + grid.right / 2) % 360 - grid.right / 2) / grid.right)
    inside = (row >= 0) & (row < grid.rows) & (column >= 0) & (column < grid.columns)
    found: np.ndarray = np.where(inside, row * grid.columns + column, -1).astype(np.int32)
    return found
