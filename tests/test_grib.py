"""eccodes beside other libraries."""

import gzip
import sqlite3
import subprocess
import sys
import tempfile

import numpy as np
import pytest

from meteo_ray.errors import UsageError
from meteo_ray.grib import messages_of, valid_time
from tests.grib_files import degrees, message

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


def days(*numbers: int) -> list[bytes]:
    grid = degrees(2, 2, 50.0, 0.0, 1.0)
    return [message(np.ones((2, 2)), **grid, dataDate=20200100 + number) for number in numbers]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_packed_or_not_no_message_is_lost_without_a_word(tmp_path, pack):
    path = tmp_path / ("a.grib" if pack is bytes else "a.grib.gz")

    def read(raw):
        path.write_bytes(pack(raw))
        with messages_of(path) as messages:
            return [valid_time(each).day for each in messages]

    first, second, third = days(1, 2, 3)
    assert read(first + second + third) == [1, 2, 3]
    assert read(b"\r\r\nHEADER\r\n" + first + b"\r\r\n" + second + third) == [1, 2, 3]
    for damaged in (first + second[:-20] + third, first + second[:-20]):
        with pytest.raises(UsageError, match="cannot be read as GRIB"):
            read(damaged)


def test_what_was_unpacked_is_gone_as_soon_as_nobody_reads_on(tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    (tmp_path / "a.grib.gz").write_bytes(gzip.compress(b"".join(days(1, 2))))
    with messages_of(tmp_path / "a.grib.gz") as messages:
        assert valid_time(next(messages)).day == 1
        assert len(list(scratch.iterdir())) == 1
    assert not list(scratch.iterdir())
