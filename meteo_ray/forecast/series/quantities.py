"""What is measured at stations: every quantity has one unit here, and bounds that no healthy value leaves.

Files may use any unit of the same dimension; pint converts. A unit of another dimension is refused where it is
declared, and one of the right dimension that the values contradict (hPa under the name of atm) where they are read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pint


@dataclass(frozen=True)
class Quantity:
    """A measured quantity in its unit; `minimum` and `maximum` are the world's extremes with some room."""

    name: str
    unit: str
    minimum: float
    maximum: float

    @property
    def never_negative(self) -> bool:
        """Whether a forecast below zero means nothing."""
        return self.minimum == 0


# Extremes: World Meteorological Organization, World Weather & Climate Extremes Archive (air temperature -89.2 to
# 56.7 degC, sea level pressure 870 to 1084.8 hPa, gust 113 m/s, 1825 mm of rain in a day), rounded outwards.
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
    Quantity("global_radiation", "W/m^2", 0, 600),
    Quantity("particulate_matter", "ug/m^3", 0, 3000),
)

QUANTITIES = {quantity.name: quantity for quantity in _QUANTITIES}


@cache
def _registry() -> "pint.UnitRegistry":
    import pint

    registry: pint.UnitRegistry = pint.UnitRegistry()
    registry.define("okta = 0.125")
    return registry


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
        found = _registry().Unit(unit)
    except (pint.PintError, ValueError, TypeError):
        return f"no such unit: {unit!r}"
    if not found.is_compatible_with(quantity.unit):
        return f"{unit!r} is no unit of {quantity.name}, which is kept in {quantity.unit}"
    return None


def converted(values: np.ndarray, unit: str, quantity: Quantity) -> np.ndarray:
    """Values in `unit` -> in the quantity's own unit, float64 of the same shape."""
    registry = _registry()
    return np.asarray(registry.Quantity(np.asarray(values, np.float64), unit).to(quantity.unit).magnitude)
