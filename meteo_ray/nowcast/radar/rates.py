"""One radar file to rain rates in mm/h, NaN where the radars see nothing; read by pysteps' importers.

| file | what it holds | to mm/h |
|---|---|---|
| `.pgm.gz`, `.pgm` (FMI) | dBZ = (v - 64) / 2, 255 no data | (10^(dBZ/10) / a)^(1/b), a = 223, b = 1.53 |
| `.gif` (MeteoSwiss AQC) | classes of mm in 5 minutes, 255 no data | x 12 |
| `.h5` (KNMI) | hundredths of mm in 5 minutes, 65535 no data | x 12 |
| `.h5` (ODIM) | RATE in mm/h, or DBZH | as above, a = 200, b = 1.6 |
"""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.nowcast.radar.library import pysteps

SUFFIXES = (".pgm.gz", ".pgm", ".gif", ".h5", ".hdf")
MINUTES_AN_HOUR = 60
ACCUMULATED_MINUTES = 5.0

# Below this reflectivity is noise, not rain: 0 dBZ is 0.03 mm/h.
LEAST_DBZ = 0.0

MARSHALL_PALMER = (200.0, 1.6)
"""a and b of Z = a R^b where a file tells none."""


def is_radar(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def read_rate(path: Path) -> tuple[np.ndarray, float]:
    """Rain in mm/h, float32 `(rows, columns)` with the north first, and the size of a pixel in km.

    Raises:
        UsageError: when the file cannot be read, or holds neither rain nor reflectivity.
    """
    importers = pysteps().io.importers
    name = path.name.lower()
    try:
        if name.endswith((".pgm", ".pgm.gz")):
            field, _, about = importers.import_fmi_pgm(str(path), gzipped=name.endswith(".gz"))
        elif name.endswith(".gif"):
            field, _, about = importers.import_mch_gif(str(path), "AQC", "mm", ACCUMULATED_MINUTES)
        else:
            field, about = _hdf5(path, importers)
    except (OSError, ValueError, KeyError, IndexError, SyntaxError) as error:
        raise UsageError(f"{path}: cannot be read as a radar image: {error}") from None
    return _in_mm_per_hour(path, np.asarray(field, np.float64), about), _pixel_km(path, about)


def _hdf5(path: Path, importers: Any) -> tuple[np.ndarray, dict[str, Any]]:
    import h5py

    with h5py.File(path) as file:
        of_knmi = "geographic" in file
        version = file.attrs.get("Conventions", b"")
    if of_knmi:
        field, _, about = importers.import_knmi_hdf5(str(path), qty="ACRR", accutime=ACCUMULATED_MINUTES)
        return field, about
    text = version.decode("ascii", "replace") if isinstance(version, bytes) else str(version)
    if not text.startswith("ODIM_H5"):
        raise ValueError("neither KNMI's HDF5 nor ODIM")
    for quantity in ("RATE", "DBZH"):  # not ACRR: pysteps does not read over which time it was summed
        try:
            field, _, about = importers.import_odim_hdf5(str(path), qty=quantity)
        except OSError:  # what pysteps raises where the quantity is not there
            continue
        return field, about
    raise ValueError("holds neither RATE nor DBZH")


def _in_mm_per_hour(path: Path, field: np.ndarray, about: dict[str, Any]) -> np.ndarray:
    unit = about["unit"]
    if unit == "mm":
        field = field * (MINUTES_AN_HOUR / float(about["accutime"]))
    elif unit == "dBZ":
        a, b = (
            float(about.get(name, default)) for name, default in zip(("zr_a", "zr_b"), MARSHALL_PALMER, strict=True)
        )
        field = np.where(field < LEAST_DBZ, 0.0, (10 ** (field / 10) / a) ** (1 / b))
    elif unit != "mm/h":
        raise UsageError(f"{path}: the rain is in {unit!r}; mm/h, mm and dBZ are known")
    return np.maximum(field, 0).astype(np.float32)


def _pixel_km(path: Path, about: dict[str, Any]) -> float:
    if about.get("xpixelsize") is None:
        raise UsageError(f"{path}: tells no size of a pixel (where/xscale)")
    size = float(about["xpixelsize"])
    return size / 1000 if about.get("cartesian_unit", "m") == "m" else size


def time_of(path: Path) -> datetime:
    """When an image was taken, by its name: YYYYMMDDHHMM, or MeteoSwiss' YYDDDHHMM after three letters.

    Raises:
        UsageError: when the name tells none.
    """
    found = re.search(r"(?<!\d)(\d{12})(?!\d)", path.name)
    if found:
        return datetime.strptime(found[1], "%Y%m%d%H%M")
    found = re.match(r"[A-Za-z]{3}(\d{9})", path.name)
    if found:
        return datetime.strptime(found[1], "%y%j%H%M")
    raise UsageError(f"{path}: the name tells no time: YYYYMMDDHHMM, or YYDDDHHMM after three letters")
