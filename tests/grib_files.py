"""Small GRIB files, written by eccodes itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meteo_ray import grib
from meteo_ray.errors import UsageError

try:
    eccodes = grib.eccodes()  # not by its own import, which disturbs pyproj
except UsageError as error:
    pytest.skip(str(error), allow_module_level=True)


def message(values: np.ndarray, sample: str = "regular_ll_sfc_grib2", **keys: Any) -> bytes:
    """A message with these values, NaN as missing; keys are set in their order, the values last."""
    handle = eccodes.codes_grib_new_from_samples(sample)
    for name, value in keys.items():
        eccodes.codes_set(handle, name, value)
    values = np.array(values, np.float64).ravel()
    if np.isnan(values).any():
        eccodes.codes_set(handle, "bitmapPresent", 1)
        eccodes.codes_set(handle, "missingValue", -1e9)
        values[np.isnan(values)] = -1e9
    eccodes.codes_set(handle, "bitsPerValue", 24)
    eccodes.codes_set_values(handle, values)
    raw: bytes = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return raw


def degrees(rows: int, columns: int, north: float, west: float, step: float) -> dict[str, Any]:
    """Keys of a grid of latitudes and longitudes, from its north-western point."""
    return {
        "Ni": columns,
        "Nj": rows,
        "latitudeOfFirstGridPointInDegrees": north,
        "longitudeOfFirstGridPointInDegrees": west,
        "latitudeOfLastGridPointInDegrees": north - step * (rows - 1),
        "longitudeOfLastGridPointInDegrees": (west + step * (columns - 1)) % 360,
        "iDirectionIncrementInDegrees": step,
        "jDirectionIncrementInDegrees": step,
    }


def write(path: Path, *messages: bytes) -> Path:
    path.write_bytes(b"".join(messages))
    return path
