"""Gridded analyses, GRIB and NetCDF: every place has the series of its nearest point, with unit, time and gaps."""

from zipfile import ZipFile

import numpy as np
import pytest
import xarray as xr

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.reading import read_panel
from meteo_ray.forecast.series.source import Source
from tests.grib_files import degrees, message, write

# Three rows from 50 N, four columns from 359 E: the prime meridian lies inside.
GRID = degrees(3, 4, 50.0, 359.0, 1.0)
VALUES = np.arange(12.0).reshape(3, 4)
TEMPERATURE = {"air_temperature": {"column": "t2m", "unit": "K"}}
RAIN = {"precipitation": {"column": "tp", "unit": "m"}}

# Row 1, column 0; row 2, column 3, from the west: 0.2 W is nearer to 0 than to 1 W.
WEST = {"latitude": 49.1, "longitude": -0.8}
EAST = {"latitude": 47.8, "longitude": 2.3}


def described(quantities=TEMPERATURE, stations=None, defects=None, files=("a.grib",), **table) -> Source:
    whole = {"files": list(files), "format": "grib", "station": {"places": True}, "quantities": quantities, **table}
    places = stations or {"West": WEST, "East": EAST}
    return Source(name="made", tables=[whole], stations=places, defects=defects or {})


def day(number, values=VALUES, **keys):
    return message(values + 273.15, **GRID, shortName="2t", dataDate=20200100 + number, dataTime=0, **keys)


def rain(hour, millimetres, length=1):
    """A sum over `length` hours of a forecast from midnight, that ends at `hour`."""
    keys = {"shortName": "tp", "dataDate": 20200101, "dataTime": 0, "stepRange": f"{hour - length}-{hour}"}
    return message(np.full((3, 4), millimetres / 1000), **GRID, **keys)


def test_every_place_has_the_series_of_its_nearest_point(tmp_path):
    write(tmp_path / "a.grib", day(1), day(3, VALUES + 20), day(2, VALUES + 10))
    panel, found = read_panel(described(), tmp_path)
    assert not found
    assert panel.stations == ("West", "East")
    assert panel.days.astype(str).tolist() == ["2020-01-01", "2020-01-02", "2020-01-03"]
    np.testing.assert_allclose(panel.values[:, :, 0], [[4, 14, 24], [11, 21, 31]], atol=1e-4)
    np.testing.assert_allclose(panel.places, [[49.1, -0.8], [47.8, 2.3]])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.grib"]  # no index beside it


def test_grib_1_and_short_names_are_read_too(tmp_path):
    keys = {"sample": "regular_ll_sfc_grib1", "shortName": "2t", "dataDate": 20200101, "dataTime": 0}
    write(tmp_path / "a.grib", message(VALUES + 273.15, **keys, **GRID))
    panel, _ = read_panel(described({"air_temperature": {"column": "2t", "unit": "kelvin"}}), tmp_path)
    np.testing.assert_allclose(panel.values.ravel(), [4, 11], atol=1e-3)


@pytest.mark.parametrize("keys", [
    {"iScansNegatively": 0, "jScansPositively": 1},
    {"iScansNegatively": 0, "jPointsAreConsecutive": 1},
])  # fmt: skip
def test_grids_may_be_scanned_in_any_order(tmp_path, keys):
    grid, values = dict(GRID), VALUES
    if keys.get("jScansPositively"):
        grid["latitudeOfFirstGridPointInDegrees"], grid["latitudeOfLastGridPointInDegrees"] = 48.0, 50.0
        values = VALUES[::-1]
    if keys.get("jPointsAreConsecutive"):
        values = VALUES.T
    raw = message(values + 273.15, **grid, **keys, shortName="2t", dataDate=20200101, dataTime=0)
    panel, _ = read_panel(described(), write(tmp_path / "a.grib", raw).parent)
    np.testing.assert_allclose(panel.values.ravel(), [4, 11], atol=1e-4)


def test_a_scan_of_which_coordinates_come_out_wrong_is_refused(tmp_path):
    keys = {"iScansNegatively": 0, "jPointsAreConsecutive": 1, "alternativeRowScanning": 1}
    write(tmp_path / "a.grib", day(1, VALUES.T, **keys))
    with pytest.raises(UsageError, match=r"a\.grib: its grid runs up and down by columns"):
        read_panel(described(), tmp_path)


def test_a_point_without_a_value_is_missing(tmp_path):
    holes = VALUES.copy()
    holes[1, 0] = np.nan
    panel, _ = read_panel(described(), write(tmp_path / "a.grib", day(1, holes), day(2)).parent)
    np.testing.assert_allclose(panel.values[:, :, 0], [[np.nan, 4], [11, 11]], atol=1e-4)


def test_another_unit_than_declared_is_refused(tmp_path):
    write(tmp_path / "a.grib", day(1))
    with pytest.raises(UsageError, match=r"a\.grib: t2m is in 'K', declared is 'degC': the file and its description"):
        read_panel(described({"air_temperature": {"column": "t2m", "unit": "degC"}}), tmp_path)


def test_cloud_cover_as_a_share_is_known(tmp_path):
    keys = {"shortName": "tcc", "dataDate": 20200101, "dataTime": 0}
    write(tmp_path / "a.grib", message(VALUES / 16, "regular_ll_sfc_grib1", **GRID, **keys))
    share = {"cloud_cover": {"column": "tcc", "unit": "(0 - 1)"}}
    panel, _ = read_panel(described(share), tmp_path)
    np.testing.assert_allclose(panel.values.ravel(), [4 / 16 * 8, 11 / 16 * 8], atol=1e-4)


def test_stations_outside_of_the_grid_are_named_with_their_distance(tmp_path):
    write(tmp_path / "a.grib", day(1))
    # A degree of latitude is 111 km: at 46 N it is two from the last row.
    far = {"West": WEST, "Far": {"latitude": 46.0, "longitude": 1.0}, "Rome": {"latitude": 41.9, "longitude": 12.5}}
    with pytest.raises(UsageError, match=r"Far: 46, 1 is 222 km from the nearest point, 48, 1, whose.* 111 km") as told:
        read_panel(described(stations=far), tmp_path)
    assert "Rome: 41.9, 12.5 is" in str(told.value)
    assert "West" not in str(told.value)


def test_hours_become_days_and_a_sum_belongs_to_the_hour_in_which_it_begins(tmp_path):
    """The sum that ends at midnight rained on the day before."""
    write(tmp_path / "a.grib", *(rain(hour, hour) for hour in range(1, 26)))
    panel, (short, _) = read_panel(described(RAIN, hourly=True), tmp_path)
    assert panel.days.astype(str).tolist() == ["2020-01-01", "2020-01-02"]
    np.testing.assert_allclose(panel.values[0, :, 0], [sum(range(1, 25)), np.nan], rtol=1e-3)
    assert "1 of 24 hours" in str(short)


def test_sums_over_days_belong_to_the_day_in_which_they_begin(tmp_path):
    write(tmp_path / "a.grib", rain(24, 5, length=24), rain(48, 7, length=24))
    panel, _ = read_panel(described(RAIN), tmp_path)
    assert panel.days.astype(str).tolist() == ["2020-01-01", "2020-01-02"]
    np.testing.assert_allclose(panel.values[0, :, 0], [5, 7], rtol=1e-3)


def test_sums_since_the_begin_of_a_forecast_are_refused(tmp_path):
    write(tmp_path / "a.grib", *(rain(hour, hour, length=hour) for hour in (1, 2, 3)))
    with pytest.raises(UsageError, match="tp is of intervals of 1 hours and, in message 2, of 2; sums since the start"):
        read_panel(described(RAIN, hourly=True), tmp_path)
    write(tmp_path / "a.grib", rain(3, 5, length=3), rain(6, 5, length=3))
    with pytest.raises(UsageError, match="intervals of 3 hours, rows of this table are hours"):
        read_panel(described(RAIN, hourly=True), tmp_path)


def test_values_of_a_moment_and_sums_need_tables_of_their_own(tmp_path):
    hours = [day(1, stepRange=str(hour)) for hour in range(24)]
    write(tmp_path / "a.grib", *hours, *(rain(hour, 1) for hour in range(1, 25)))
    with pytest.raises(UsageError, match="describe a table of the same files for each kind"):
        read_panel(described({**TEMPERATURE, **RAIN}, hourly=True), tmp_path)
    table = {"files": ["a.grib"], "format": "grib", "station": {"places": True}, "hourly": True}
    tables = [{**table, "quantities": quantities} for quantities in (TEMPERATURE, RAIN)]
    panel, found = read_panel(Source(name="made", tables=tables, stations={"West": WEST}), tmp_path)
    assert not found
    np.testing.assert_allclose(panel.values[0, 0], [4, 24], rtol=1e-3)


def hourly_sums(values):
    """Rain in m of the hours of a day, at the one point of WEST."""
    keys = {"shortName": "tp", "dataDate": 20200101, "dataTime": 0, "stepType": "accum"}
    fields = [np.zeros((3, 4)) for _ in values]
    for field, value in zip(fields, values, strict=True):
        field[1, 0] = value
    grib1 = "regular_ll_sfc_grib1"
    steps = range(len(fields))
    return [message(fields[n], grib1, **GRID, **keys, stepRange=f"{n}-{n + 1}") for n in steps]


def test_no_rain_that_packing_made_negative_is_no_rain(tmp_path):
    write(tmp_path / "a.grib", *hourly_sums([-1e-9] * 20 + [0.001] * 4))
    panel, found = read_panel(described(RAIN, stations={"West": WEST}, hourly=True), tmp_path)
    assert not found
    assert panel.values.item() == pytest.approx(4, rel=1e-3)
    write(tmp_path / "a.grib", *hourly_sums([-0.001] * 4 + [0.001] * 20))  # a millimetre is no rounding
    _, found = read_panel(described(RAIN, stations={"West": WEST}, hourly=True), tmp_path)
    assert [defect.kind for defect in found] == ["value"] * 4


def test_full_cloud_cover_that_packing_made_more_is_full(tmp_path):
    share = {"cloud_cover": {"column": "tcc", "unit": "(0 - 1)"}}
    keys = {"shortName": "tcc", "dataDate": 20200101, "dataTime": 0}
    write(tmp_path / "a.grib", message(np.full((3, 4), 1.0000076), "regular_ll_sfc_grib1", **GRID, **keys))
    panel, found = read_panel(described(share), tmp_path)
    assert not found
    assert panel.values.ravel().tolist() == [8, 8]


def test_a_point_that_never_has_a_value_is_told(tmp_path):
    """At the coast the nearest point of data of land alone may lie in the sea."""
    holes = VALUES.copy()
    holes[1, 0] = np.nan
    write(tmp_path / "a.grib", day(1, holes), day(2, holes))
    _, (told,) = read_panel(described(), tmp_path)
    assert str(told).startswith("a.grib:1 (2020-01-01): West: t2m has no value at its nearest grid point in the whole")
    with pytest.raises(UsageError, match="West: t2m has no value"):
        read_panel(described(defects={"value": "refuse"}), tmp_path)


def test_two_messages_of_one_time_are_refused(tmp_path):
    write(tmp_path / "a.grib", day(1), day(2), day(2))
    with pytest.raises(UsageError, match=r"message 3 is of t2m at 2020-01-02 00:00 as one before it"):
        read_panel(described(), tmp_path)


def test_hours_that_are_not_declared_are_told(tmp_path):
    write(tmp_path / "a.grib", *(day(1, stepRange=str(hour)) for hour in range(3)))
    with pytest.raises(UsageError, match=r"this day stands in a\.grib:1 too, here at 01:00; where rows are hours say"):
        read_panel(described(), tmp_path)


def test_an_archive_under_the_name_of_netcdf_is_named(tmp_path):
    with ZipFile(tmp_path / "a.nc", "w") as archive:
        archive.writestr("data_stream-oper_stepType-instant.nc", b"")
    with pytest.raises(UsageError, match=r"a\.nc: is a ZIP archive; unpack it"):
        read_panel(described(**IN_NETCDF), tmp_path)


def test_a_parameter_that_is_not_there_is_named_with_those_that_are(tmp_path):
    write(tmp_path / "a.grib", day(1))
    with pytest.raises(UsageError, match=r"no parameter msl; the file has t2m"):
        read_panel(described({"air_pressure": {"column": "msl", "unit": "Pa"}}), tmp_path)


def test_files_that_are_cut_off_damaged_or_something_else_are_named(tmp_path):
    path, whole = tmp_path / "a.grib", day(1) + day(2)
    first = len(day(1))
    for raw in (b"", b"date,t\n2020-01-01,1\n", whole[:-1], whole[: first + 40], whole[: first - 200]):
        path.write_bytes(raw)
        with pytest.raises(UsageError, match=r"a\.grib: cannot be read as GRIB"):
            read_panel(described(), tmp_path)
    path.write_bytes(whole[:100] + bytes(len(whole) - 100))
    with pytest.raises(UsageError, match=r"a\.grib"):
        read_panel(described(), tmp_path)


def test_without_eccodes_it_is_said_what_to_install(tmp_path, monkeypatch):
    write(tmp_path / "a.grib", day(1))
    monkeypatch.setitem(__import__("sys").modules, "eccodes", None)
    with pytest.raises(UsageError, match=r"GRIB needs eccodes.*pip install 'meteo_ray\[grib\]'"):
        read_panel(described(), tmp_path)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"station": {"name": "A"}}, "GRIB holds grids: give station"),
        ({"format": "csv", "time": {"columns": ["t"]}}, "is for gridded data, not for CSV"),
        ({"format": "netcdf"}, "time is missing"),
        ({"time": {"columns": ["time"]}}, "leave time out"),
        ({"station": {"places": True, "name": "A"}}, "exactly one of"),
    ],
)
def test_descriptions_that_cannot_be_meant_are_refused(table, message):
    with pytest.raises(ValueError, match=message):
        described(**table)
    with pytest.raises(ValueError, match="stations is missing"):
        Source(**{**described().model_dump(), "stations": {}})


def netcdf(folder, units="K", kind="instant", hours=1, **coordinates):
    """Days (or hours) of a grid as ECMWF's Climate Data Store writes them, with `number` as a dimension of one."""
    times = np.datetime64("2020-01-01T00", "ns") + np.arange(3) * np.timedelta64(hours, "h")
    values = np.stack([VALUES, VALUES + 10, VALUES + 20])[None] + 273.15
    grid = {"latitude": [50.0, 49, 48], "longitude": [359.0, 360, 361, 362], **coordinates}
    attributes = {"units": units, "GRIB_stepType": kind}
    dimensions = ("number", "valid_time", "latitude", "longitude")
    data = xr.Dataset({"t2m": (dimensions, values, attributes)}, {"valid_time": times, "number": [0], **grid})
    data.to_netcdf(folder / "a.nc", engine="h5netcdf")
    return folder


IN_NETCDF = {"files": ["a.nc"], "format": "netcdf", "time": {"columns": ["valid_time"]}}


def test_grids_in_netcdf_are_read_alike(tmp_path):
    panel, found = read_panel(described(**IN_NETCDF), netcdf(tmp_path, hours=24))
    assert not found
    np.testing.assert_allclose(panel.values[:, :, 0], [[4, 14, 24], [11, 21, 31]], atol=1e-6)
    with pytest.raises(UsageError, match="t2m is in 'degC', declared is 'K'"):
        read_panel(described(**IN_NETCDF), netcdf(tmp_path, units="degC"))
    rome = {"Rome": {"latitude": 41.9, "longitude": 12.5}}
    with pytest.raises(UsageError, match=r"a\.nc: stations outside of its grid:\n  Rome: 41.9, 12.5 is"):
        read_panel(described(**IN_NETCDF, stations=rome), netcdf(tmp_path))


def test_means_over_hours_in_netcdf_begin_an_hour_before_too(tmp_path):
    _, (*_, short) = read_panel(described(**IN_NETCDF, hourly=True), netcdf(tmp_path, kind="avg"))
    assert "(2020-01-01): East: 2 of 24 hours" in str(short)
    days = netcdf(tmp_path, kind="avg", hours=24)  # daily statistics bear the date of their day
    assert str(read_panel(described(**IN_NETCDF), days)[0].days[0]) == "2020-01-01"


def test_a_grid_of_one_point_has_those_nearby(tmp_path):
    one = degrees(1, 1, 49.0, 359.0, 0.25)
    raw = message(np.full(1, 280.0), **one, shortName="2t", dataDate=20200101, dataTime=0)
    write(tmp_path / "a.grib", raw)
    panel, _ = read_panel(described(stations={"West": WEST}), tmp_path)
    assert panel.values.item() == pytest.approx(280 - 273.15)
    with pytest.raises(UsageError, match=r"East: 47\.8, 2\.3 is 278 km from the nearest point"):
        read_panel(described(), tmp_path)
    time = {"valid_time": np.datetime64("2020-01-01", "ns"), "latitude": 49.0, "longitude": 359.0}
    xr.Dataset({"t2m": ((), 280.0)}, time).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    panel, _ = read_panel(described(**IN_NETCDF, stations={"West": WEST}), tmp_path)
    assert panel.values.item() == pytest.approx(280 - 273.15)


def test_netcdf_on_a_grid_of_its_own_and_without_one(tmp_path):
    """Latitudes and longitudes of every point, as projected grids have them."""
    north, east = np.meshgrid([50.0, 49, 48], [359.0, 360, 361, 362], indexing="ij")
    times = np.array(["2020-01-01"], "datetime64[ns]")
    places = {"lat": (("y", "x"), north), "lon": (("y", "x"), east)}
    data = xr.Dataset({"t2m": (("valid_time", "y", "x"), VALUES[None] + 273.15)}, {"valid_time": times, **places})
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    panel, _ = read_panel(described(**IN_NETCDF), tmp_path)
    np.testing.assert_allclose(panel.values.ravel(), [4, 11], atol=1e-6)
    data.drop_vars(["lat", "lon"]).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(UsageError, match="no latitudes; places need a grid, and the file has"):
        read_panel(described(**IN_NETCDF), tmp_path)


def test_netcdf_of_more_dimensions_than_the_time_is_named(tmp_path):
    times = np.datetime64("2020-01-01", "ns") + np.arange(2) * np.timedelta64(12, "h")
    steps = np.arange(1, 13) * np.timedelta64(1, "h")
    whole = {
        "latitude": [50.0, 49],
        "longitude": [359.0, 360],
        "valid_time": (("time", "step"), times[:, None] + steps),
    }
    values = ("time", "step", "latitude", "longitude"), np.full((2, 12, 2, 2), 280.0)
    xr.Dataset({"t2m": values}, whole).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(UsageError, match=r"valid_time is a table of time \(2\), step \(12\)"):
        read_panel(described(**IN_NETCDF), tmp_path)
    values = ("valid_time", "expver", "latitude", "longitude"), np.full((2, 2, 2, 2), 280.0)
    xr.Dataset({"t2m": values}, {**whole, "valid_time": times}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with pytest.raises(UsageError, match=r"t2m is no series of the time alone, but of valid_time \(2\), expver \(2\)"):
        read_panel(described(**IN_NETCDF, stations={"West": WEST}), tmp_path)
