"""How station files are described: a YAML file says which column is the time, which the quantities, in which unit.

The package brings those of public sets (sources/*.yaml); for own files copy one of them.
"""

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from meteo_ray.config.parsing import Section
from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.quantities import QUANTITIES, Quantity, unit_problem

Policy = Literal["refuse", "missing"]

EASTWARD_NORTHWARD = ("eastward", "northward")

OF_COMPONENTS = ("wind_speed",)
"""Quantities that are lengths of a vector."""

HOUR, DAY = 3600.0, 86400.0
"""In seconds."""


class Column(Section):
    """Where a quantity stands and in which unit."""

    column: str | None = None
    """The file's column or variable; where stations are prefixes, what follows `PREFIX_`."""
    components: tuple[str, ...] = ()
    """Instead of a column, of wind speed: the columns of the eastward and the northward wind, such as u10 and v10. Both
    are in `unit`; the speed is made row by row, before hours become days."""
    unit: str
    """Any unit that pint knows, and okta; it must be one of the quantity, or, of radiation, an energy on an area
    (J m-2): what fell in the row's hour or day, of which the mean over it is taken."""
    minimum: float | None = None
    """Values below, in the quantity's unit, are corrupt; default: the world's extreme."""
    maximum: float | None = None
    """Values above are corrupt."""

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.column is None) == (not self.components):
            raise ValueError("give either column or components")
        if self.components and len(set(self.components)) != len(EASTWARD_NORTHWARD):
            raise ValueError(f"components are two columns, of the {' and the '.join(EASTWARD_NORTHWARD)} wind")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the quantity is made of."""
        return self.components if self.column is None else (self.column,)

    @property
    def title(self) -> str:
        """As messages name it."""
        return ", ".join(self.columns)

    def bounds(self, quantity: Quantity, hourly: bool = False) -> tuple[float, float]:
        """Of a day's value, or of an hour's."""
        low = quantity.minimum if self.minimum is None else self.minimum
        most = quantity.hourly_maximum if hourly and quantity.hourly_maximum is not None else quantity.maximum
        return low, most if self.maximum is None else self.maximum


class TimeColumns(Section):
    """The time of a row: one column, or several joined by a dash (year, month, day, hour)."""

    columns: tuple[str, ...]
    format: str = "%Y-%m-%d"
    """As Python's strptime reads it, applied to the joined columns. An offset (%z) is read and left: a day is that of
    the station's own clock."""


class StationOf(Section):
    """Which station a row or a column is of: a fixed name, a column, prefixes of the columns, or, of grids, every place
    that is described."""

    name: str | None = None
    column: str | None = None
    prefixes: tuple[str, ...] = ()
    places: bool = False
    """The files hold a grid (GRIB; NetCDF with latitudes and longitudes): each of the description's `stations` is given
    the series of the grid point nearest to it."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum((self.name is not None, self.column is not None, bool(self.prefixes), self.places)) != 1:
            raise ValueError("give exactly one of name, column, prefixes and places")
        return self


class Table(Section):
    """Files of the same columns."""

    files: tuple[str, ...]
    """Relative to the data folder, in the order in which their rows are read."""
    format: Literal["csv", "netcdf", "grib"] = "csv"
    time: TimeColumns | None = None
    """NetCDF: the time coordinate; its own attributes say how it counts. GRIB: none, every message tells its time.
    Where gridded files tell that values are sums or means over an hour or a day, these belong to its begin."""
    station: StationOf
    missing: tuple[str, ...] = ("", "NA", "NaN", "nan", "-9999")
    """Texts that stand for no value."""
    hourly: bool = False
    """Rows are an hour apart: a day is the mean of its hours (rain, sunshine: their sum, scaled to 24; the highest and
    lowest temperature, gusts: the extreme), where at least 18 of 24 are there."""
    quantities: dict[str, Column]

    @property
    def columns(self) -> dict[str, list[tuple[str, str]]]:
        """Column -> the quantities that it is read for, each with its declared unit."""
        found: dict[str, list[tuple[str, str]]] = {}
        for name, quantity in self.quantities.items():
            for column in quantity.columns:
                found.setdefault(column, []).append((name, quantity.unit))
        return found

    @property
    def step(self) -> float:
        """Seconds from row to row."""
        return HOUR if self.hourly else DAY

    @property
    def time_columns(self) -> TimeColumns:
        """Of formats that need them."""
        assert self.time is not None
        return self.time

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.format == "grib" and not self.station.places:
            raise ValueError("GRIB holds grids: give station: {places: true}, and the places under stations")
        if self.format == "csv" and self.station.places:
            raise ValueError("station: {places: true} is for gridded data, not for CSV")
        if self.format == "grib" and self.time is not None:
            raise ValueError("leave time out: every message of GRIB tells its own")
        if self.format != "grib" and self.time is None:
            raise ValueError("time is missing: which column is the time?")
        return self

    @model_validator(mode="after")
    def _known(self) -> Self:
        problems = []
        for name, column in self.quantities.items():
            if name not in QUANTITIES:
                problems.append(f"{name}: no such quantity; known are {', '.join(QUANTITIES)}")
            elif (problem := unit_problem(QUANTITIES[name], column.unit)) is not None:
                problems.append(f"{name} ({column.title}): {problem}")
            elif column.components and name not in OF_COMPONENTS:
                problems.append(f"{name}: has no components; of {', '.join(OF_COMPONENTS)} they can be given")
            elif column.components and not self.hourly:
                problems.append(
                    f"{name} ({column.title}): components want hourly rows (hourly: true): where the wind turns, a "
                    "day's mean components give less than the mean of the speeds"
                )
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Defects(Section):
    """What happens to what is wrong; every case is told with file, line and date all the same."""

    value: Policy = "missing"
    """A value that is no number, or outside of its bounds."""
    gap: Policy = "missing"
    """Days that no row is there for; of hourly tables also those with too few hours."""
    doubled: Literal["refuse", "first", "last"] = "refuse"
    """A day (of hourly tables a time) that comes twice for a station: which row counts, in the order of files and
    lines. Of two tables with the same quantity one value counts, and a missing one never in the place of a number."""


class Place(Section):
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]


class Source(Section):
    """The description of one set of station files."""

    name: str
    tables: tuple[Table, ...]
    stations: dict[str, Place] = Field(default_factory=dict)
    """Where they are; the graph network and gridded tables need to know."""
    defects: Defects = Defects()
    credit: str = ""
    """Whose data they are, for reports."""

    @model_validator(mode="after")
    def _placed(self) -> Self:
        if any(table.station.places for table in self.tables) and not self.stations:
            raise ValueError("stations is missing: gridded tables (places: true) need the places of the stations")
        return self


def load_source(name_or_path: str) -> Source:
    """A description that the package brings, by name, or a file. Raises UsageError naming every problem."""
    own = Path(name_or_path)
    folder = files("meteo_ray.forecast") / "sources"
    brought = sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    if own.is_file():
        text, where = _text(own), str(own)
    elif name_or_path in brought:
        text, where = (folder / f"{name_or_path}.yaml").read_text("utf-8"), name_or_path
    else:
        raise UsageError(f"--source {name_or_path}: no such file, and no set of that name: {', '.join(brought)}")
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise UsageError(f"{where}: expected a description of station files, found {type(document).__name__}")
    try:
        return Source(**document)
    except (ValidationError, TypeError) as error:
        raise UsageError.of_problems(f"{where} cannot be used:", _problems(error)) from None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is no UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot read: {error}") from None


def _problems(error: ValidationError | TypeError) -> list[str]:
    if isinstance(error, TypeError):
        return [str(error)]
    return [
        f"{'.'.join(str(part) for part in entry['loc'])}: {entry['msg'].removeprefix('Value error, ')}"
        for entry in error.errors()
    ]
