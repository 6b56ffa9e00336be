"""Radar files and events: rates as their providers mean them, gaps and doubled times, extrapolation."""

import contextlib
import gzip
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.demo.made_radar import save_image
from meteo_ray.errors import UsageError
from meteo_ray.nowcast.config import TrainNowcastJob
from meteo_ray.nowcast.extrapolation import blurred, extrapolated, motion
from meteo_ray.nowcast.radar.events import read_frames, starts, with_splits
from meteo_ray.nowcast.radar.fields import RadarFields, averaged, pixels_of_a_square
from meteo_ray.nowcast.radar.rates import read_image, time_of
from meteo_ray.nowcast.spectral_prognosis import spectral_prognosis
from meteo_ray.nowcast.stage import NOWCAST
from meteo_ray.schema import TEST, TRAIN, VALIDATION
from tests.nowcast.conftest import SETTINGS, moving_blob

pytest.importorskip("pysteps", reason="the extra `radar` is not installed")


def test_a_meteoswiss_image_is_in_mm_per_hour(tmp_path):
    rain = np.array([[0, 0.5, 2.0], [10, 60, np.nan]])
    path = tmp_path / "AQC161932130V_00005.801.gif"
    save_image(path, rain)
    found, pixel_km, _ = read_image(path)
    assert pixel_km == 1
    np.testing.assert_allclose(found, rain, rtol=0.05)  # a class is 0.05 of the rain wide
    assert str(time_of(path)) == "2016-07-11 21:30:00"


def write_knmi(path, values):
    with h5py.File(path, "w") as file:
        image = file.create_group("image1")
        image["image_data"] = np.asarray(values, np.uint16)
        calibration = image.create_group("calibration")
        calibration.attrs["calibration_formulas"] = b"GEO=0.010000*PV+0.000000"
        place = file.create_group("geographic")
        place.attrs.update({name: np.array([value], np.float32) for name, value in (
            ("geo_column_offset", 0.0), ("geo_row_offset", 3650.0), ("geo_pixel_size_x", 1.0),
            ("geo_pixel_size_y", -1.0), ("geo_number_columns", 3.0), ("geo_number_rows", 2.0),
        )})  # fmt: skip
        place.attrs["geo_dim_pixel"] = np.bytes_(b"KM,KM")
        projection = place.create_group("map_projection")
        projection.attrs["projection_proj4_params"] = np.bytes_(
            b"+proj=stere +lat_0=90 +lon_0=0.0 +lat_ts=60.0 +a=6378.137 +b=6356.752 +x_0=0 +y_0=0"
        )


def test_a_knmi_file_is_in_mm_per_hour(tmp_path):
    path = tmp_path / "RAD_NL25_RAP_5min_201008260135.h5"
    write_knmi(path, [[0, 12, 100], [1000, 65535, 1]])
    found, pixel_km, _ = read_image(path)
    assert pixel_km == 1
    np.testing.assert_allclose(found, [[0, 1.44, 12], [120, np.nan, 0.12]], rtol=1e-6)
    assert str(time_of(path)) == "2010-08-26 01:35:00"


def write_odim(path, quantity, values, gain, offset, pixel_km=2.0):
    with h5py.File(path, "w") as file:
        file.attrs["Conventions"] = np.bytes_(b"ODIM_H5/V2_2")
        where = file.create_group("where")
        where.attrs["projdef"] = np.bytes_(b"+proj=laea +lat_0=55 +lon_0=10 +ellps=WGS84")
        where.attrs.update({"LL_lat": 50.0, "LL_lon": 8.0, "UR_lat": 51.0, "UR_lon": 9.0})
        where.attrs.update({"xscale": 1000 * pixel_km, "yscale": 1000 * pixel_km})
        data = file.create_group("dataset1").create_group("data1")
        data["data"] = np.asarray(values, np.uint8)
        what = data.create_group("what")
        what.attrs["quantity"] = np.bytes_(quantity)
        what.attrs.update({"gain": gain, "offset": offset, "nodata": 255.0, "undetect": 0.0})


def test_an_odim_file_of_rates_or_of_reflectivity_is_in_mm_per_hour(tmp_path):
    path = tmp_path / "T_PAAH21_202106011200.h5"
    write_odim(path, b"RATE", [[0, 10, 255]], gain=0.5, offset=0.0)
    found, pixel_km, _ = read_image(path)
    assert pixel_km == 2
    np.testing.assert_allclose(found, [[0, 5, np.nan]])
    write_odim(path, b"DBZH", [[0, 142, 255, 20]], gain=0.5, offset=-32.0)
    found, _, _ = read_image(path)
    # 39 dBZ by Marshall and Palmer: (10^3.9 / 200)^(1 / 1.6) mm/h.
    np.testing.assert_allclose(found, [[0, (10**3.9 / 200) ** (1 / 1.6), np.nan, 0]], rtol=1e-6)
    write_odim(path, b"VRAD", [[0, 142]], gain=0.5, offset=-32.0)
    with pytest.raises(UsageError, match="neither RATE nor DBZH"):
        read_image(path)


def test_what_is_no_radar_file_is_named(tmp_path):
    for name, raw in (("AQC161932130V.gif", b"GIF89a broken"), ("201008260135.h5", b"not hdf"), ("a.pgm.gz", b"x")):
        path = tmp_path / name
        path.write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
        with pytest.raises(UsageError, match=name):
            read_image(path)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = [1]
    with pytest.raises(UsageError, match="neither KNMI"):
        read_image(tmp_path / "other.h5")
    write_odim(tmp_path / "line.h5", b"RATE", [0, 10], gain=0.5, offset=0.0)
    with pytest.raises(UsageError, match=r"line.h5.*1 dimensions"):
        read_image(tmp_path / "line.h5")


def test_a_file_that_is_cut_off_is_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, 3000, np.uint8).tobytes()
    whole, path = gzip.compress(b"P5\n60 50\n255\n" + noise), tmp_path / "202106011200_fmi.pgm.gz"
    for length in (0, 5, 100, len(whole) // 2, len(whole) - 4):
        path.write_bytes(whole[:length])
        with pytest.raises(UsageError, match="202106011200_fmi"):
            read_image(path)
    path.write_bytes(whole[:200] + b"\xff" * 200 + whole[400:])
    with pytest.raises(UsageError, match="202106011200_fmi"):
        read_image(path)
    odim = tmp_path / "202106011200.h5"
    write_odim(odim, b"RATE", [[0, 10]], gain=0.5, offset=0.0)
    with h5py.File(odim, "a") as file:
        del file["dataset1/data1/what"]
    with pytest.raises(UsageError, match=r"202106011200.h5: .*no what group"):
        read_image(odim)


def test_gifs_of_other_products_are_refused_as_they_would_be_misread(tmp_path):
    event = tmp_path / "event"
    event.mkdir()
    path = event / "RZC161932130V_00005.801.gif"
    save_image(path, np.array([[0, 1.0], [5, 20]]))
    for read in (lambda: read_image(path), lambda: read_frames(tmp_path)):
        with pytest.raises(UsageError, match=r"RZC161932130V.*product RZC.*AQC can be read"):
            read()
    path.rename(event / "aqc161932130V_00005.801.gif")
    assert read_frames(tmp_path).num_rows == 1


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("T_PAAH21_C_EUOC_20240101000000.hdf", "2024-01-01 00:00:00"),
        ("20240601T1200Z_rate.h5", "2024-06-01 12:00:00"),
        ("20240601T120458Z_rate.h5", "2024-06-01 12:05:00"),
        ("composite_hx_20240601_1250-hd5.h5", "2024-06-01 12:50:00"),
        ("raa01-rw_10000-2106011250-dwd---bin.h5", "2021-06-01 12:50:00"),
        ("123456789012_201008260135.h5", "2010-08-26 01:35:00"),
        ("AQC161932130V_00005.801.gif", "2016-07-11 21:30:00"),
    ],
)
def test_names_tell_times(tmp_path, name, time):
    assert str(time_of(tmp_path / name)) == time


@pytest.mark.parametrize(
    "name",
    ["other.h5", "123456789012.h5", "202413400000_x.h5", "99991231235959.h5", "AQC999999999.gif", "raa-9999999999-.h5"],
)
def test_names_without_a_time_are_named(tmp_path, name):
    event = tmp_path / "event"
    event.mkdir()
    (event / name).write_bytes(b"")
    with pytest.raises(UsageError, match=f"{name}: neither the file nor its name tells a time"):
        read_frames(tmp_path)


@given(st.text("0123456789TZ_-", max_size=30))
def test_no_name_is_a_defect(digits):
    with contextlib.suppress(UsageError):
        assert time_of(Path(f"x{digits}.h5")).second == 0


def test_the_time_in_an_odim_file_goes_before_its_name(tmp_path):
    path = tmp_path / "202106011200_received.h5"
    write_odim(path, b"RATE", [[0, 10]], gain=0.5, offset=0.0)
    assert str(time_of(path)) == "2021-06-01 12:00:00"
    with h5py.File(path, "a") as file:
        file.create_group("what").attrs.update({"date": np.bytes_(b"20210601"), "time": "115500"})
    assert str(time_of(path)) == "2021-06-01 11:55:00"
    with h5py.File(path, "a") as file:
        file["what"].attrs["time"] = np.bytes_(b"noon")
    assert str(time_of(path)) == "2021-06-01 12:00:00"


@pytest.mark.parametrize("pixel_km", [1.5, 2.5, 4.0])
def test_pixels_that_do_not_make_up_the_grid_are_refused_before_a_training(tmp_path, pixel_km):
    for event in "abc":
        (tmp_path / event).mkdir()
        for frame in range(8):
            path = tmp_path / event / f"2021060112{5 * frame:02d}.h5"
            write_odim(path, b"RATE", [[0, 10], [3, 4]], gain=0.5, offset=0.0, pixel_km=pixel_km)
    job = TrainNowcastJob(data=tmp_path, models=tmp_path / "models", nowcast=SETTINGS)
    message = (
        rf"202106011200.h5: pixels of {pixel_km:g} km do not make up squares of 2 km; train with --nowcast.grid-km"
    )
    with pytest.raises(UsageError, match=message):
        NOWCAST.read_inputs(job)
    fields = RadarFields(tmp_path, read_frames(tmp_path), 2.0, tmp_path / "cache")
    with pytest.raises(UsageError, match=message):
        fields.event("a")
    fitting = SETTINGS.model_copy(update={"grid_km": 2 * pixel_km})
    assert NOWCAST.read_inputs(job.model_copy(update={"nowcast": fitting})).index.num_rows == 24


def test_pixels_of_nearly_a_kilometre_fit():
    assert pixels_of_a_square(Path("x"), 0.999674, 2.0) == 2
    assert pixels_of_a_square(Path("x"), 2.0, 2.0) == 1


# Of the files as published: size, unseen share, highest mm/h.
REAL = {
    "mch/20150515": ((640, 710), 0.31, 116),
    "knmi/20100826": ((765, 700), 0.74, 150),
    "fmi/20170509": ((1226, 760), 0.24, 150),
}


@pytest.mark.parametrize("event", REAL)
def test_real_files_are_read(radar_files, event):
    path = sorted((radar_files / event).iterdir())[0]
    rate, pixel_km, _ = read_image(path)
    shape, unseen, highest = REAL[event]
    assert rate.shape == shape
    assert pixel_km == pytest.approx(1, abs=0.01)
    assert np.isnan(rate).mean() == pytest.approx(unseen, abs=0.02)
    assert 0.5 < np.nanmax(rate) <= highest
    assert np.nanmin(rate) == 0


def test_events_are_folders_and_split_by_name(made):
    frames = read_frames(made)
    events = ["event_20210601", "event_20210602", "event_20210603"]
    assert frames.num_rows == 30
    assert frames["event"].to_pylist() == sorted(events * 10)
    split = with_splits(frames, (), ())
    of_event = dict(zip(split["event"].to_pylist(), split["split"].to_pylist(), strict=True))
    assert of_event == dict(zip(events, (TRAIN, VALIDATION, TEST), strict=True))
    named = with_splits(frames, (events[0],), ())
    assert set(named.filter(pa.compute.equal(named["split"], TEST))["event"].to_pylist()) == {events[0]}
    with pytest.raises(UsageError, match=r"no event x; there are event_20210601"):
        with_splits(frames, ("x",), ())
    with pytest.raises(UsageError, match="no event is left to train on"):
        with_splits(frames, (events[0],), tuple(events[1:]))
    with pytest.raises(UsageError, match="cannot both"):
        with_splits(frames, (events[0],), (events[0],))


def test_two_files_of_one_time_are_named(tmp_path):
    folder = tmp_path / "event"
    folder.mkdir()
    for letter in "FV":
        (folder / f"AQC161932130{letter}_00005.801.gif").write_bytes(b"")
    with pytest.raises(UsageError, match=r"AQC161932130V.* of the same time, 2016-07-11 21:30"):
        read_frames(tmp_path)
    with pytest.raises(UsageError, match="no radar images"):
        read_frames(folder / "none")


def test_windows_have_no_gap():
    times = np.datetime64("2020-01-01T00:00:00") + 5 * 60 * np.array([0, 1, 2, 3, 5, 6, 7, 8, 9])
    assert starts(times, 3, 1).tolist() == [0, 1, 4, 5, 6]
    assert starts(times, 3, 2).tolist() == [0, 4, 6]
    assert starts(times, 6, 1).tolist() == []


def test_a_square_with_an_unseen_pixel_is_unseen():
    rate = np.arange(20, dtype=np.float32).reshape(4, 5)
    rate[3, 3] = np.nan
    np.testing.assert_allclose(averaged(rate, 2), [[3, 5], [13, np.nan]])


@pytest.mark.parametrize(("name", "value"), [
    ("LL_lat", 50.5), ("LL_lon", 8.5), ("projdef", np.bytes_(b"+proj=laea +lat_0=50 +lon_0=10 +ellps=WGS84")),
])  # fmt: skip
def test_frames_of_another_place_are_refused(tmp_path, name, value):
    """Of equal size: nothing else tells them apart."""
    event = tmp_path / "storm"
    event.mkdir()
    for minute in (0, 5, 10):
        write_odim(event / f"2021060112{minute:02d}.h5", b"RATE", [[0, 10], [3, 4]], gain=0.5, offset=0.0)
    fields = RadarFields(tmp_path, read_frames(tmp_path), 2.0, tmp_path / "cache")
    assert fields.event("storm").shape == (3, 2, 2)
    with h5py.File(event / "202106011210.h5", "a") as file:
        file["where"].attrs[name] = value
    fields = RadarFields(tmp_path, read_frames(tmp_path), 2.0, tmp_path / "cache")
    with pytest.raises(UsageError, match=r"202106011210\.h5: lies elsewhere than 202106011200\.h5, .* of one place"):
        fields.event("storm")


@pytest.mark.parametrize(("apart", "expected"), [(2, [0, 4, 10, 14, 20, 24]), (1, range(0, 30, 5)), (3, [0, 6, 9, 15])])
def test_of_images_that_come_more_often_those_nearest_to_five_minutes_are_frames(tmp_path, caplog, apart, expected):
    (tmp_path / "storm").mkdir()
    for minute in range(0, 5 * len(expected) - 1, apart):
        (tmp_path / "storm" / f"2021060112{minute:02d}.h5").write_bytes(str(minute).encode())
    frames = read_frames(tmp_path)
    assert [path[-5:-3] for path in frames["path"].to_pylist()] == [f"{minute:02d}" for minute in expected]
    times = frames["time"].to_numpy()
    assert len(starts(times, len(expected), 1)) == 1
    assert str(times[1]) == "2021-06-01T12:05:00"
    assert f"{len(expected)} of {len(range(0, 5 * len(expected) - 1, apart))} are its frames" in caplog.text


def test_frames_five_minutes_apart_are_all_taken_wherever_they_begin(tmp_path, caplog):
    (tmp_path / "storm").mkdir()
    for minute in (2, 7, 12, 17, 19, 22):  # one out of turn
        (tmp_path / "storm" / f"2021060112{minute:02d}.h5").write_bytes(b"")
    assert read_frames(tmp_path).num_rows == 6
    assert not caplog.text


def test_frames_that_are_rarer_are_told_with_how_far_apart_they_are(tmp_path):
    for event in "abc":
        (tmp_path / event).mkdir()
        for frame in range(6):
            path = tmp_path / event / f"2021060112{10 * frame:02d}.h5"
            write_odim(path, b"RATE", [[0, 10], [3, 4]], gain=0.5, offset=0.0)
    job = TrainNowcastJob(data=tmp_path, models=tmp_path / "models", nowcast=SETTINGS)
    with pytest.raises(UsageError, match=r"five minutes apart without a gap: b \(6 frames, 10 minutes apart\)"):
        NOWCAST.read_inputs(job)


def test_frames_are_decoded_once(made, tmp_path, monkeypatch):
    fields = RadarFields(made, read_frames(made), 2.0, tmp_path)
    first = np.array(fields.event("event_20210601"))
    assert first.shape == (10, 32, 32)
    monkeypatch.setattr("meteo_ray.nowcast.radar.fields.read_image", None)
    np.testing.assert_array_equal(fields.event("event_20210601"), first)
    assert RadarFields(made, read_frames(made), 1.0, tmp_path).key("event_20210601") != fields.key("event_20210601")


def test_a_shower_is_moved_on_along_its_motion():
    frames = moving_blob(9)
    moved = motion(frames[:4])
    assert moved[:, 15:25, 12:24].mean(axis=(1, 2)) == pytest.approx([2, 1], abs=0.4)
    found = extrapolated(frames[:4], 5)
    for lead in range(5):
        now = np.nanmean((found[lead] - frames[4 + lead]) ** 2)
        still = np.nanmean((frames[3] - frames[4 + lead]) ** 2)
        assert now < 0.3 * still


def test_without_rain_nothing_moves():
    dry = np.zeros((4, 32, 32), np.float32)
    dry[:, :4] = np.nan
    found = extrapolated(dry, 3)
    np.testing.assert_array_equal(found, np.repeat(dry[-1:], 3, axis=0))


def test_the_blur_widens_with_the_lead_and_unseen_squares_take_no_part():
    field = np.zeros((3, 41, 41), np.float32)
    field[:, 20, 20] = 100
    soft = blurred(field)
    np.testing.assert_allclose(soft.sum(axis=(1, 2)), 100, rtol=1e-3)
    peaks = soft[:, 20, 20]
    assert (np.diff(peaks) < 0).all()
    assert peaks[0] == pytest.approx(100 / (2 * np.pi * 0.75**2), rel=0.05)
    even = np.full((1, 20, 20), 3, np.float32)
    even[:, :5] = np.nan
    np.testing.assert_allclose(blurred(even)[:, 5:], 3, rtol=1e-5)
    assert np.isnan(blurred(even)[:, :5]).all()


def test_scales_that_lose_their_predictability_fade():
    """S-PROG follows a moving shower, and loses small scales with the lead."""
    pytest.importorskip("pysteps")
    frames = moving_blob(10) * np.random.default_rng(0).uniform(0.3, 1.7, (10, 48, 48)).astype(np.float32)
    past, future = frames[:4], moving_blob(10)[4:]
    found = spectral_prognosis(past, extrapolated(past, 6))
    assert found.shape == (6, 48, 48)
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    rows, columns = (np.average(axis, weights=found[2]) for axis in np.mgrid[:48, :48])
    expected = [np.average(axis, weights=future[2]) for axis in np.mgrid[:48, :48]]
    assert (rows, columns) == pytest.approx(expected, abs=2)
    roughness = [np.abs(np.diff(field, axis=0)).sum() / field.sum() for field in found]
    assert roughness[-1] < roughness[0]


def test_without_rain_to_fit_scales_to_the_extrapolation_stands_in():
    pytest.importorskip("pysteps")
    dry = np.zeros((4, 32, 32), np.float32)
    stands_in = np.full((3, 32, 32), 0.5, np.float32)
    assert spectral_prognosis(dry, stands_in) is stands_in
