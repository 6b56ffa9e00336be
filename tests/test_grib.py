"""eccodes beside other libraries."""

import sqlite3
import subprocess
import sys

import tests.grib_files  # noqa: F401  skips where eccodes is not installed

# Imported the usual way, eccodes gives the whole process its own PROJ and SQLite: pyproj then ends it with a crash.
BESIDE_OTHERS = """
from meteo_ray.grib import eccodes
handle = eccodes().codes_grib_new_from_samples("regular_ll_sfc_grib2")
assert len(eccodes().codes_get_array(handle, "latitudes")) == 16 * 31
import sqlite3
from pyproj import Proj
east, north = Proj(proj="aeqd", lat_0=60, lon_0=3)(3, 61)
assert abs(north - 111_000) < 1_000, north
print(sqlite3.sqlite_version)
"""


def test_eccodes_leaves_pyproj_and_sqlite_alone():
    done = subprocess.run([sys.executable, "-c", BESIDE_OTHERS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, sqlite3.sqlite_version), done.stderr
