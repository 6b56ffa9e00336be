"""One radar file to rain rates in mm/h, NaN where the radars see nothing; read by pysteps' importers and eccodes.

| file | what it holds | to mm/h |
|---|---|---|
| `.pgm.gz`, `.pgm` (FMI) | dBZ = (v - 64) / 2, 255 no data | (10^(dBZ/10) / a)^(1/b), a = 223, b = 1.53 |
| `.gif` (MeteoSwiss AQC) | classes of mm in 5 minutes, 255 no data | x 12 |
| `.h5` (KNMI) | hundredths of mm in 5 minutes, 65535 no data | x 12 |
| `.h5` (ODIM) | RATE in mm/h, or DBZH | as above, a = 200, b = 1.6 |
| `.grib2`, `.grb2`, `.grib`, `.grb`, also `.gz` | rain rate in kg m-2 s-1, MRMS' in mm/h; or dBZ | x 3600; as above |
"""

import re
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from meteo_ray import grib
from meteo_ray.errors import UsageError
from meteo_ray.nowcast.radar.grib_image import grib_time, read_grib_image
from meteo_ray.nowcast.radar.library import pysteps

HDF5 = (".h5", ".hdf")
SUFFIXES = (".pgm.gz", ".pgm", ".gif", *HDF5, *grib.SUFFIXES)

METEOSWISS = "AQC"
"""The one product of MeteoSwiss whose classes are known: others have another scale in files that look alike."""

UNREADABLE = (OSError, EOFError, zlib.error, ValueError, LookupError, SyntaxError, RuntimeError)
"""What gzip, PIL, h5py, pyproj and pysteps raise on files that are cut off, damaged or something else."""

MINUTES_AN_HOUR = 60
ACCUMULATED_MINUTES = 5.0

# Below this reflectivity is noise, not rain: 0 dBZ is 0.03 mm/h.
LEAST_DBZ = 0.0

MARSHALL_PALMER = (200.0, 1.6)
"""a and b of Z = a R^b where a file tells none."""


def is_radar(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def require_known_product(path: Path) -> None:
    """Raises UsageError for a GIF of which the name does not say that its classes are those of METEOSWISS."""
    name = path.name.upper()
    if name.endswith(".GIF") and not name.startswith(METEOSWISS):
        raise UsageError(
            f"{path}: product {name[:3]}, whose scale is not known; of GIFs MeteoSwiss' {METEOSWISS} can be read, "
            "besides FMI's PGM, HDF5 of KNMI and ODIM, and GRIB"
        )


class RadarImage(NamedTuple):
    """A file's rain.

    Args:
        rate: mm/h, float32 `(rows, columns)` with the north first, NaN where unseen.
        pixel_km: the side of a pixel.
        place: where on the earth it lies, in words; equal of equal grids.
    """

    rate: np.ndarray
    pixel_km: float
    place: str


def read_image(path: Path) -> RadarImage:
    """A file's rain, its pixels and its place.

    Raises:
        UsageError: when the file cannot be read, or holds neither rain nor reflectivity.
    """
    require_known_product(path)
    importers = pysteps().io.importers
    from pysteps.exceptions import DataModelError

    name = path.name.lower()
    if grib.is_grib(path):
        field, unit, pixel_km, place = read_grib_image(path)
        return RadarImage(_in_mm_per_hour(path, field, {"unit": unit}), pixel_km, place)
    try:
        if name.endswith((".pgm", ".pgm.gz")):
            field, _, about = importers.import_fmi_pgm(str(path), gzipped=name.endswith(".gz"))
        elif name.endswith(".gif"):
            field, _, about = importers.import_mch_gif(str(path), METEOSWISS, "mm", ACCUMULATED_MINUTES)
        else:
            field, about = _hdf5(path, importers)
        field = np.asarray(field, np.float64)
        if field.ndim != 2:
            raise ValueError(f"{field.ndim} dimensions instead of two")
    except (*UNREADABLE, DataModelError) as error:
        raise UsageError(f"{path}: cannot be read as a radar image: {error}") from None
    return RadarImage(_in_mm_per_hour(path, field, about), _pixel_km(path, about), _place(about))


def _place(about: dict[str, Any]) -> str:
    """Of what pysteps tells of a file: its lower left corner, to a tenth of a pixel, and its map."""
    pixel = float(about.get("xpixelsize") or 1)
    corner = [round(10 * float(about[name]) / pixel) / 10 * pixel for name in ("x1", "y1") if name in about]
    unit, projection = about.get("cartesian_unit", "m"), about.get("projection")
    return f"{' '.join(f'{side:.10g}' for side in corner)} {unit} on {projection}"


def _hdf5(path: Path, importers: Any) -> tuple[np.ndarray, dict[str, Any]]:
    import h5py

    with h5py.File(path) as file:
        of_knmi = "geographic" in file
        version = file.attrs.get("Conventions", b"")
    if of_knmi:
        field, _, about = importers.import_knmi_hdf5(str(path), qty="ACRR", accutime=ACCUMULATED_MINUTES)
        return field, about
    if not _text(version).startswith("ODIM_H5"):
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
    """When an image was taken, to the minute: what ODIM or GRIB say in the file, else its name.

    Names hold YYYYMMDDHHMM, with or without seconds, also with T, _ or - before the hour; DWD's YYMMDDHHMM between
    hyphens; MeteoSwiss' YYDDDHHMM after three letters.

    Raises:
        UsageError: when neither tells any.
    """
    for text, form in (*_recorded_time(path), *_named_times(path.name)):
        try:
            # Some providers' names have the second at which the scan ended.
            return (datetime.strptime(text, form) + timedelta(seconds=30)).replace(second=0)
        except (ValueError, OverflowError):
            continue
    raise UsageError(
        f"{path}: neither the file nor its name tells a time: YYYYMMDDHHMM, or YYDDDHHMM after three letters"
    )


def _recorded_time(path: Path) -> list[tuple[str, str]]:
    """The nominal time that ODIM keeps in /what, or GRIB's, with its format; nothing where it is not there."""
    import h5py

    if grib.is_grib(path):
        grib.eccodes()  # without it no name helps
        try:
            return [(f"{grib_time(path):%Y%m%d%H%M%S}", "%Y%m%d%H%M%S")]
        except UsageError:
            return []
    if not path.name.lower().endswith(HDF5) or not path.is_file():
        return []
    try:
        with h5py.File(path) as file:
            about = file["what"].attrs
            return [(_text(about["date"]) + _text(about["time"]), "%Y%m%d%H%M%S")]
    except UNREADABLE:
        return []


def _named_times(name: str) -> Iterator[tuple[str, str]]:
    """Digits of a name that may be a time, with their format; whether they are one is not known yet."""
    for found in re.finditer(r"(?<!\d)(\d{8})[T_-]?(\d{4})(\d{2})?(?!\d)", name):
        yield "".join(found.groups(default="")), "%Y%m%d%H%M%S" if found[3] else "%Y%m%d%H%M"
    for found in re.finditer(r"-(\d{10})-", name):
        yield found[1], "%y%m%d%H%M"
    if of_meteoswiss := re.match(r"[A-Za-z]{3}(\d{9})", name):
        yield of_meteoswiss[1], "%y%j%H%M"


def _text(value: Any) -> str:
    """An attribute of HDF5: bytes or text, by itself or as the only one of an array."""
    (one,) = np.ravel(value).tolist()
    return one.decode("ascii", "replace") if isinstance(one, bytes) else str(one)
