"""What is measured at stations: every quantity has one unit here, and bounds that no healthy value leaves.

Files may use any unit of the same dimension; pint converts. A unit of another dimension is refused where it is
declared, and one of the right dimension that the values contradict (hPa under the name of atm) where they are read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from meteo_ray.errors import UsageError

if TYPE_CHECKING:
    import pint


@dataclass(frozen=True)
class Quantity:
    """A measured quantity in its unit; `minimum` and `maximum` are the world's extremes of a day with some room.

    `hourly_maximum` is that of an hour, where a day's mean cannot come near it.
    """

    name: str
    unit: str
    minimum: float
    maximum: float
    hourly_maximum: float | None = None

    @property
    def summed(self) -> bool:
        """Whether a day has the sum of its hours and not their mean."""
        return self.name in ("precipitation", "sunshine", "snow_hours")

    @property
    def extreme(self) -> np.ufunc | None:
        """Which of a day's hours is the day's value where it is the lowest or the highest, and not their mean."""
        if self.name == "air_temperature_minimum":
            return np.minimum
        return np.maximum if self.name in ("air_temperature_maximum", "wind_gust") else None

    @property
    def never_negative(self) -> bool:
        """Whether a forecast below zero means nothing."""
        return self.minimum == 0


# Extremes: World Meteorological Organization, World Weather & Climate Extremes Archive (air temperature -89.2 to
# 56.7 degC, sea level pressure 870 to 1084.8 hPa, gust 113 m/s, 1825 mm of rain in a day), rounded outwards. Pressure
# stays that of lower places, for mmHg (760 at sea level) would pass as hPa of a mountain: high stations give a minimum.
# Radiation of an hour: the sun's 1361 W/m^2 and what broken clouds add; of a day 600 for the longest one.
_QUANTITIES = (
    Quantity("air_temperature", "degC", -95, 60),
    Quantity("air_temperature_minimum", "degC", -95, 60),
    Quantity("air_temperature_maximum", "degC", -95, 60),
    Quantity("dew_point_temperature", "degC", -95, 40),
    Quantity("sea_surface_temperature", "degC", -3, 40),
    Quantity("relative_humidity", "percent", 0, 100),
    Quantity("air_pressure", "hPa", 860, 1090),
    Quantity("wind_speed", "m/s", 0, 100),
    Quantity("wind_gust", "m/s", 0, 120),
    Quantity("wave_height", "m", 0, 30),
    Quantity("precipitation", "mm", 0, 2000),
    Quantity("snow_hours", "hour", 0, 24),
    Quantity("sunshine", "hour", 0, 24),
    Quantity("cloud_cover", "okta", 0, 8),
    Quantity("global_radiation", "W/m^2", 0, 600, 1500),
    Quantity("particulate_matter", "ug/m^3", 0, 3000),
)

QUANTITIES = {quantity.name: quantity for quantity in _QUANTITIES}


WATER = 1000
"""kg/m^3: 1 kg of rain on a square metre stands 1 mm deep there."""

ENERGY = "J/m^2"
"""Of radiation: what fell onto a square metre in a step of time, instead of how fast it did."""

SHARE = "(0 - 1)"
"""The unit of cloud cover in ECMWF's files."""


@cache
def _registry() -> "pint.UnitRegistry":
    """Knows the units of the CF conventions too: `m s-1`, `degrees_C`, `oktas`."""
    import pint

    registry: pint.UnitRegistry = pint.UnitRegistry(preprocessors=[_with_powers])
    registry.define("okta = 0.125 = _ = oktas")
    registry.define("@alias degree_Celsius = Celsius = degrees_C = degree_C = degrees_Celsius")
    registry.define("@alias kelvin = Kelvin")
    return registry


def _with_powers(text: str) -> str:
    """`W m-2` -> `W m**-2`; ECMWF's name for shares is no formula."""
    if text == SHARE:
        return "dimensionless"
    return re.sub(r"(?<=[^\W\d_])(-?\d+)(?![\w.])", r"**\1", text)


def _in_own_dimension(
    given: "pint.Quantity[np.ndarray]", quantity: Quantity, step: float
) -> "pint.Quantity[np.ndarray]":
    """Rain may be weighed: kg/m^2 becomes a depth. Radiation may be summed over a step of seconds: J/m^2 becomes the
    mean power."""
    if quantity.name == "precipitation" and given.is_compatible_with("kg/m^2"):
        return given / _registry().Quantity(WATER, "kg/m^3")
    if quantity.name == "global_radiation" and given.is_compatible_with(ENERGY):
        return given / _registry().Quantity(step, "s")
    return given


def cut_at_zero(values: np.ndarray, names: Sequence[str], axis: int) -> np.ndarray:
    """Forecasts with those of never negative quantities cut at zero; `names` are the quantities along `axis`."""
    lowest = np.array([0.0 if QUANTITIES[name].never_negative else -np.inf for name in names])
    shape = [len(names) if position == axis % values.ndim else 1 for position in range(values.ndim)]
    found: np.ndarray = np.maximum(values, lowest.reshape(shape))
    return found


def unit_problem(quantity: Quantity, unit: str) -> str | None:
    """Why `unit` cannot be a unit of `quantity`; None where it can."""
    import pint

    try:
        found = _in_own_dimension(_registry().Quantity(np.zeros(1), unit), quantity, step=1.0)
    except (pint.PintError, ValueError, TypeError):
        return f"no such unit: {unit!r}"
    if not found.is_compatible_with(quantity.unit):
        return f"{unit!r} is no unit of {quantity.name}, which is kept in {quantity.unit}"
    return None


def is_energy(quantity: Quantity, unit: str) -> bool:
    """Whether values are the radiation that fell in a step of time. `unit` must be one of the quantity."""
    return quantity.name == "global_radiation" and bool(_registry().Unit(unit).is_compatible_with(ENERGY))


def converted(values: np.ndarray, unit: str, quantity: Quantity, step: float) -> np.ndarray:
    """Values in `unit` -> in the quantity's own unit, float64 of the same shape.

    Args:
        values: any shape.
        unit: one of the quantity, see `unit_problem`.
        quantity: what they are of.
        step: seconds that an energy is the sum over; other units do not ask for it.
    """
    given = _in_own_dimension(_registry().Quantity(np.asarray(values, np.float64), unit), quantity, step)
    return np.asarray(given.to(quantity.unit).magnitude)


def same_unit(first: str, second: str, quantity: Quantity) -> bool:
    """Whether two units of a quantity mean the same: they agree at two points, and so everywhere."""
    if unit_problem(quantity, first) or unit_problem(quantity, second):
        return False
    if is_energy(quantity, first) != is_energy(quantity, second):
        return False
    one, other = (converted(np.array([0.0, 100.0]), unit, quantity, step=1.0) for unit in (first, second))
    return np.allclose(one, other, rtol=1e-9, atol=1e-9)


def require_declared(path: Path, name: str, column: str, unit: str | None, declared: str) -> None:
    """Raises UsageError when a file tells another unit of a column than its description does; None: it tells none."""
    quantity = QUANTITIES[name]
    if unit is not None and not same_unit(unit, declared, quantity):
        problem = unit_problem(quantity, unit) or "the file and its description differ"
        raise UsageError(f"{path}: {column} is in {unit!r}, declared is {declared!r}: {problem}")
