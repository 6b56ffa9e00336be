"""GRIB through eccodes, ECMWF's library: a file's messages one after the other, with what is asked of all of them.

eccodes is an extra of this package: whoever has no GRIB needs none of its 50 MB. Messages are read as they come, one in
memory at a time: a year of a global analysis is tens of gigabytes. No index is written beside the files.
"""

import ctypes
import gzip
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from meteo_ray.errors import UsageError

if TYPE_CHECKING:
    from eccodes.highlevel import GRIBMessage

SUFFIXES = tuple(name + packed for name in (".grib2", ".grb2", ".grib", ".grb") for packed in ("", ".gz"))

# Marks points without a value; no measurement comes near it, as eccodes' own 9999 may.
MISSING = float(np.finfo(np.float32).max)


def is_grib(path: Path) -> bool:
    """Whether a file's name says so."""
    return path.name.lower().endswith(SUFFIXES)


def eccodes() -> ModuleType:
    """The library. Raises UsageError where it is not installed."""
    try:
        with _libraries_apart():
            import eccodes as library
            import eccodes.highlevel
    except (ImportError, RuntimeError, OSError) as error:  # RuntimeError: its C library is not there
        raise UsageError(f"GRIB needs eccodes ({error}); pip install 'meteo_ray[grib]'") from None
    return library


@contextmanager
def _libraries_apart() -> Iterator[None]:
    """While eccodes is imported: the C libraries of its wheels are loaded for it alone.

    findlibs, which eccodes asks for them, loads them for the whole process: their PROJ and SQLite would stand in for
    those of pyproj, which then crashes, and of Python. So they are loaded here, and findlibs is told where eccodes is.
    """
    folders = []
    if "eccodes" not in sys.modules and sys.platform.startswith("linux"):
        packages = [find_spec(name) for name in ("eckitlib", "eccodeslib")]
        folders = [Path(found.origin).parent for found in packages if found is not None and found.origin]
    if len(folders) < 2:
        yield
        return
    for library in sorted((folders[0] / "lib64").glob("libeckit*.so")):
        ctypes.CDLL(str(library))
    told = {"FINDLIBS_DISABLE_PACKAGE": "1", "ECCODESLIB_HOME": str(folders[1])}
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def messages_of(path: Path) -> Iterator[Iterator["GRIBMessage"]]:
    """The messages of a file, which may be gzipped; what goes wrong with them inside of the block names the file.

    Raises:
        UsageError: when the file holds no message, or is cut off, damaged or something else.
    """
    library = eccodes()
    damaged = (library.CodesInternalError, OSError, EOFError, zlib.error, LookupError, ValueError, OverflowError)
    try:
        with closing(_messages(path, library)) as messages:
            yield messages
    except damaged as error:
        raise UsageError(f"{path}: cannot be read as GRIB: {_said(error)}") from None


def _messages(path: Path, library: ModuleType) -> Generator["GRIBMessage"]:
    count = 0
    with _unpacked(path) as plain, library.highlevel.FileReader(plain) as reader:
        for message in reader:
            count += 1
            yield message
    if not count:
        raise UsageError(f"{path}: cannot be read as GRIB: holds no message")


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """A file without gzip, for a while: eccodes' reader of memory ends without a word where a message is damaged, and
    copies the rest of the file for every message."""
    if not path.name.lower().endswith(".gz"):
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="meteo_ray-", suffix=".grib") as plain:
        with gzip.open(path) as packed:
            shutil.copyfileobj(packed, plain)
        plain.flush()
        yield Path(plain.name)


def _said(error: Exception) -> str:
    """KeyErrors hold no more than the key."""
    return f"no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__


def values_of(message: "GRIBMessage") -> np.ndarray:
    """float64 `(points,)` in the order in which the file scans its grid, NaN where there is no value."""
    message.set("missingValue", MISSING, check_values=False)
    values = np.array(message.get_array("values"), np.float64)
    values[values == MISSING] = np.nan
    return values


def valid_time(message: "GRIBMessage") -> datetime:
    """When the values are true; of those over an interval, its end."""
    date, time = message["validityDate"], message["validityTime"]  # 20160711, 2205
    seconds = message.get("second", 0)
    return datetime(date // 10_000, date // 100 % 100, date % 100, time // 100, time % 100, seconds)


def interval_minutes(message: "GRIBMessage") -> int:
    """Of sums, means and extremes: over how long; 0 of values of a moment."""
    if message["stepType"] == "instant":
        return 0
    message.set("stepUnits", "m", check_values=False)
    return int(message["endStep:int"] - message["startStep:int"])


def shape_of(message: "GRIBMessage") -> tuple[int, ...]:
    """Of the values as rows and columns, in the file's order; one number where the grid has no rows of equal length."""
    size, rows, columns = (message.get(name, 0) for name in ("numberOfPoints", "Nj", "Ni"))
    if rows * columns != size or message.get("alternativeRowScanning", 0):
        return (size,)
    return (columns, rows) if message.get("jPointsAreConsecutive", 0) else (rows, columns)
