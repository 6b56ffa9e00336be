"""Radar images as GRIB: rates as they are meant, what the radars do not see, square pixels, the time in the file."""

import gzip

import numpy as np
import pytest

from meteo_ray.errors import UsageError
from meteo_ray.nowcast.radar.events import read_frames
from meteo_ray.nowcast.radar.fields import RadarFields
from meteo_ray.nowcast.radar.rates import read_image, time_of
from tests.grib_files import degrees, message, write

pytest.importorskip("pysteps", reason="the extra `radar` is not installed")

MRMS = {"centre": 161, "discipline": 209, "parameterCategory": 6, "parameterNumber": 1}
MRMS_DBZ = {**MRMS, "parameterCategory": 10, "parameterNumber": 0}
RATE = {"discipline": 0, "parameterCategory": 1, "parameterNumber": 7}
DBZ = {"discipline": 0, "parameterCategory": 16, "parameterNumber": 4}
TIME = {"dataDate": 20160711, "hour": 22, "minute": 0, "second": 0}

# At the equator 0.01 degrees are 1.11 km both ways: five squares of 1 km fall on the five points one by one.
EQUATOR = degrees(5, 5, 0.02, 9.98, 0.01)


def projected(values, dx=1000, dy=1000, south_first=0, time=TIME, **keys):
    rows, columns = values.shape
    grid = {"Nx": columns, "Ny": rows, "DxInMetres": dx, "DyInMetres": dy, "jScansPositively": south_first}
    return message(values, "polar_stereographic_sfc_grib2", **grid, **time, **keys)


def test_mrms_rates_are_mm_per_hour_and_what_is_not_seen_is_none(tmp_path):
    rain = np.arange(25.0).reshape(5, 5)
    rain[0, :2] = -1, -3
    path = tmp_path / "MRMS_PrecipRate_00.00_20160711-220000.grib2.gz"
    path.write_bytes(gzip.compress(message(rain, **EQUATOR, **MRMS, **TIME)))
    found, pixel_km, _ = read_image(path)
    assert pixel_km == 1
    assert found.dtype == np.float32
    rain[0, :2] = np.nan
    np.testing.assert_allclose(found, rain, atol=1e-4)


def test_mrms_without_an_echo_is_dry_and_out_of_reach_is_unseen(tmp_path):
    values = np.full((5, 5), 39.0)
    values[0, :2] = -99, -999
    found, _, _ = read_image(write(tmp_path / "a.grib2", message(values, **EQUATOR, **MRMS_DBZ, **TIME)))
    # 39 dBZ by Marshall and Palmer.
    rain = np.full((5, 5), (10**3.9 / 200) ** (1 / 1.6))
    rain[0, :2] = 0, np.nan
    np.testing.assert_allclose(found, rain, rtol=1e-3)


@pytest.mark.parametrize("south_first", [0, 1])
def test_a_projected_grid_is_taken_as_it_is_with_the_north_first(tmp_path, south_first):
    rate = np.array([[0, 1.0, np.nan], [2.5, 10, 36]])
    order = rate[::-1] if south_first else rate
    raw = projected(order / 3600, dx=2000, dy=2000, south_first=south_first, **RATE)
    found, pixel_km, _ = read_image(write(tmp_path / "a.grb2", raw))
    assert pixel_km == 2
    np.testing.assert_allclose(found, rate, atol=1e-4)


def test_no_rain_that_packing_made_negative_is_seen(tmp_path):
    raw = projected(np.array([[-1e-8, 0.001], [-1e-8, 0.001]]), **RATE)
    found, _, _ = read_image(write(tmp_path / "a.grb2", raw))
    np.testing.assert_allclose(found, [[0, 3.6], [0, 3.6]], atol=1e-3)


def test_reflectivity_of_a_projected_grid(tmp_path):
    found, pixel_km, _ = read_image(write(tmp_path / "a.grib", projected(np.array([[-40, 39.0], [20, np.nan]]), **DBZ)))
    assert pixel_km == 1
    rain = [[0, (10**3.9 / 200) ** (1 / 1.6)], [(10**2 / 200) ** (1 / 1.6), np.nan]]
    np.testing.assert_allclose(found, rain, rtol=1e-3)


def test_a_shower_on_degrees_lies_at_its_distance_in_km(tmp_path):
    """Placed by geodesics, which know nothing of projections."""
    from pyproj import Geod

    rows, columns = 121, 201
    grid = {**degrees(rows, columns, 60.6, 355.0, 0.01), "iDirectionIncrementInDegrees": 0.02}
    grid["longitudeOfLastGridPointInDegrees"] = 359.0
    rain = np.zeros((rows, columns))
    rain[20, 30] = 50
    found, pixel_km, _ = read_image(write(tmp_path / "a.grib2", message(rain, **grid, **MRMS, **TIME)))
    assert pixel_km == 1
    bearing, _, metres = Geod(ellps="WGS84").inv(357.0, 60.0, 355.0 + 30 * 0.02, 60.6 - 20 * 0.01)
    east, north = (metres / 1000 * turn(np.radians(bearing)) for turn in (np.sin, np.cos))
    down, right = np.argwhere(np.nan_to_num(found) == 50).mean(axis=0)
    height, width = found.shape
    assert right - (width - 1) / 2 == pytest.approx(east, abs=1)
    assert (height - 1) / 2 - down == pytest.approx(north, abs=1)
    assert np.isnan(found[0, 0])  # parallels are bent: the corner lies outside


def test_pixels_of_degrees_are_rounded_to_what_makes_up_the_working_grid(tmp_path):
    for step, expected in ((0.005, 0.5), (0.01, 1), (0.02, 2), (0.25, 25)):
        grid = degrees(5, 5, 2 * step, 10, step)
        assert read_image(write(tmp_path / "a.grib2", message(np.ones((5, 5)), **grid, **MRMS, **TIME)))[1] == expected


def test_the_time_is_the_one_in_the_file_to_the_minute(tmp_path):
    late = {**TIME, "minute": 4, "second": 39}
    raw = message(np.zeros((5, 5)), **EQUATOR, **MRMS, **late)
    path = write(tmp_path / "MRMS_PrecipRate_00.00_19990101-000000.grib2", raw)
    assert str(time_of(path)) == "2016-07-11 22:05:00"
    path.write_bytes(b"")
    assert str(time_of(path)) == "1999-01-01 00:00:00"


def test_an_event_of_grib_files_is_read(tmp_path):
    event = tmp_path / "data" / "storm"
    event.mkdir(parents=True)
    for minute in range(0, 20, 5):
        raw = message(np.full((5, 5), minute / 5), **EQUATOR, **MRMS, **{**TIME, "minute": minute})
        (event / f"MRMS_PrecipRate_00.00_20160711-22{minute:02d}00.grib2.gz").write_bytes(gzip.compress(raw))
    frames = read_frames(tmp_path / "data")
    assert frames["event"].to_pylist() == ["storm"] * 4
    assert str(frames["time"][3]) == "2016-07-11 22:15:00"
    found = RadarFields(tmp_path / "data", frames, 2.0, tmp_path / "cache").event("storm")
    assert found.shape == (4, 2, 2)
    np.testing.assert_allclose(found[:, 0, 0], [0, 1, 2, 3], atol=1e-4)


@pytest.mark.parametrize("on_degrees", [True, False])
def test_frames_of_another_place_are_refused(tmp_path, on_degrees):
    event = tmp_path / "storm"
    event.mkdir()
    for minute, west in ((0, 9.98), (5, 9.98), (10, 10.98)):
        at = {**TIME, "minute": minute}
        if on_degrees:
            raw = message(np.ones((5, 5)), **degrees(5, 5, 0.02, west, 0.01), **MRMS, **at)
        else:
            raw = projected(np.ones((4, 4)), longitudeOfFirstGridPointInDegrees=west, **RATE, time=at)
        write(event / f"20160711T22{minute:02d}.grib2", raw)
    fields = RadarFields(tmp_path, read_frames(tmp_path), 2.0, tmp_path / "cache")
    with pytest.raises(UsageError, match=r"20160711T2210\.grib2: lies elsewhere than 20160711T2200.*10\.980 E.*9\.980"):
        fields.event("storm")
    (event / "20160711T2210.grib2").unlink()
    fields = RadarFields(tmp_path, read_frames(tmp_path), 2.0, tmp_path / "cache")
    assert len(fields.event("storm")) == 2


def test_what_is_no_radar_image_is_named(tmp_path):
    path = tmp_path / "20160711T2200.grib2"
    whole = message(np.ones((5, 5)), **EQUATOR, **MRMS, **TIME)
    for raw in (b"", b"not grib", whole[:-1], whole[: len(whole) // 2]):
        path.write_bytes(raw)
        with pytest.raises(UsageError, match=r"20160711T2200\.grib2: cannot be read as GRIB"):
            read_image(path)
    packed = tmp_path / "a.grib2.gz"
    for raw in (whole, gzip.compress(whole)[:-9], gzip.compress(whole[:-20])):
        packed.write_bytes(raw)
        with pytest.raises(UsageError, match=r"a\.grib2\.gz: cannot be read as GRIB"):
            read_image(packed)
    write(path, message(np.ones((5, 5)), **EQUATOR, shortName="2t"))
    with pytest.raises(UsageError, match="neither a rain rate nor reflectivity, but 2t"):
        read_image(path)
    write(path, whole, whole)
    with pytest.raises(UsageError, match="2 images of rain in mm/h"):
        read_image(path)
    write(path, projected(np.ones((2, 2)), dx=1000, dy=2000, **RATE))
    with pytest.raises(UsageError, match="pixels of 1 x 2 km; squares of metres"):
        read_image(path)
    write(path, message(np.ones((5, 5)), **degrees(5, 5, 80, 0, 40), **MRMS))
    with pytest.raises(UsageError, match="spans 200 x 200 degrees"):
        read_image(path)


def test_without_eccodes_it_is_said_what_to_install(tmp_path, monkeypatch):
    event = tmp_path / "event"
    event.mkdir()
    write(event / "20160711T2200.grib2", message(np.ones((5, 5)), **EQUATOR, **MRMS, **TIME))
    monkeypatch.setitem(__import__("sys").modules, "eccodes", None)
    with pytest.raises(UsageError, match=r"pip install 'meteo_ray\[grib\]'"):
        read_frames(tmp_path)
