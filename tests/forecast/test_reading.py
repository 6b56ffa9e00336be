"""Station files: units, gaps, doubled days and corrupt values are named with line and date, and handled as declared."""

import numpy as np
import pytest
import yaml

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.reading import read_panel
from meteo_ray.forecast.series.source import Source, load_source

SOURCE = {
    "name": "made",
    "tables": [
        {
            "files": ["a.csv"],
            "time": {"columns": ["date"]},
            "station": {"name": "A"},
            "quantities": {
                "air_temperature": {"column": "t", "unit": "degF"},
                "air_pressure": {"column": "p", "unit": "hPa", "minimum": 950, "maximum": 1050},
                "wind_speed": {"column": "w", "unit": "km/h"},
            },
        }
    ],
}
ROWS = ["date,t,p,w", "2020-01-01,32,1010,36", "2020-01-02,50,1011,0", "2020-01-03,NA,1012,18"]


def source(**changes) -> Source:
    """The description with changes to its table and its defects."""
    document = {**SOURCE, "tables": [{**SOURCE["tables"][0], **changes.pop("table", {})}]}
    return Source(**{**document, **changes})


def write(folder, rows, name="a.csv"):
    (folder / name).write_text("\n".join(rows) + "\n", "utf-8")
    return folder


def test_values_come_in_the_units_of_their_quantities(tmp_path):
    panel, found = read_panel(source(), write(tmp_path, ROWS))
    assert not found
    assert panel.quantities == ("air_temperature", "air_pressure", "wind_speed")
    np.testing.assert_allclose(panel.values[0], [[0, 1010, 10], [10, 1011, 0], [np.nan, 1012, 5]], atol=1e-9)
    assert list(panel.days.astype(str)) == ["2020-01-01", "2020-01-02", "2020-01-03"]


def test_a_corrupt_value_is_missing_and_named_with_line_and_date(tmp_path):
    rows = [*ROWS, "2020-01-04,50,7679.3,9", "2020-01-05,warm,1010,9"]
    panel, found = read_panel(source(), write(tmp_path, rows))
    assert [(defect.file, defect.line, defect.date) for defect in found] == [
        ("a.csv", 6, "2020-01-05"),
        ("a.csv", 5, "2020-01-04"),
    ]
    assert "'warm' is no number" in str(found[0])
    assert "p 7679.3 hPa lies outside 950 to 1050" in str(found[1])
    assert np.isnan(panel.values[0, 3, 1])
    assert np.isnan(panel.values[0, 4, 0])
    with pytest.raises(UsageError, match=r"a\.csv:5 \(2020-01-04\).*7679"):
        read_panel(source(defects={"value": "refuse"}), tmp_path)


def test_a_gap_is_named_and_left_missing_or_refused(tmp_path):
    write(tmp_path, [*ROWS, "2020-01-06,50,1010,9"])
    panel, (gap,) = read_panel(source(), tmp_path)
    assert "2 days without a row, 2020-01-04 to 2020-01-05" in str(gap)
    assert np.isnan(panel.values[0, 3:5]).all()
    with pytest.raises(UsageError, match="2 days without a row"):
        read_panel(source(defects={"gap": "refuse"}), tmp_path)


@pytest.mark.parametrize(("policy", "expected"), [("first", 10.0), ("last", 20.0)])
def test_of_a_doubled_day_the_declared_row_counts(tmp_path, policy, expected):
    write(tmp_path, [*ROWS, "2020-01-02,68,1010,9"])
    panel, (doubled,) = read_panel(source(defects={"doubled": policy}), tmp_path)
    assert str(doubled).startswith("a.csv:5 (2020-01-02)")
    assert "a.csv:3 too" in str(doubled)
    np.testing.assert_allclose(panel.values[0, 1, 0], expected)
    with pytest.raises(UsageError, match=r"a\.csv:3 too"):
        read_panel(source(), tmp_path)


def test_rows_out_of_order_are_put_in_order(tmp_path):
    straight, _ = read_panel(source(), write(tmp_path, ROWS))
    turned, found = read_panel(source(), write(tmp_path, [ROWS[0], *reversed(ROWS[1:])]))
    assert not found
    np.testing.assert_array_equal(straight.values, turned.values)


def test_a_unit_that_the_values_contradict_is_refused(tmp_path):
    """Pressures in hPa under the name of atm: what a public set's own page says."""
    atm = {"air_pressure": {"column": "p", "unit": "atm"}}
    with pytest.raises(UsageError, match=r"a\.csv:2 \(2020-01-01\): 3 of 3 values of p are impossible.* in atm"):
        read_panel(source(table={"quantities": atm}), write(tmp_path, ROWS))


@pytest.mark.parametrize(
    ("quantities", "message"),
    [
        ({"air_pressure": {"column": "p", "unit": "degC"}}, "no unit of air_pressure"),
        ({"air_pressure": {"column": "p", "unit": "hectopuscal"}}, "no such unit"),
        ({"pressure": {"column": "p", "unit": "hPa"}}, "no such quantity"),
    ],
)
def test_a_wrong_declaration_is_refused_before_a_file_is_read(tmp_path, quantities, message):
    path = tmp_path / "source.yaml"
    path.write_text(yaml.safe_dump({**SOURCE, "tables": [{**SOURCE["tables"][0], "quantities": quantities}]}), "utf-8")
    with pytest.raises(UsageError, match=message):
        load_source(str(path))


def test_missing_columns_files_and_times_are_named(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        read_panel(source(), tmp_path)
    with pytest.raises(UsageError, match="no column w"):
        read_panel(source(), write(tmp_path, ["date,t,p", "2020-01-01,1,1010"]))
    with pytest.raises(UsageError, match=r"a\.csv:2: '01\.02\.2020' is no time"):
        read_panel(source(), write(tmp_path, [ROWS[0], "01.02.2020,1,1010,2"]))


def test_hours_become_days_where_enough_of_them_are_there(tmp_path):
    rows = ["date,hour,t,p,w", *(f"2020-01-01,{hour},{32 + 1.8 * hour},1010,36" for hour in range(24))]
    rows += [f"2020-01-02,{hour},50,1010,36" for hour in range(10)]
    table = {"hourly": True, "time": {"columns": ["date", "hour"], "format": "%Y-%m-%d-%H"}}
    panel, _ = read_panel(source(table=table), write(tmp_path, rows))
    np.testing.assert_allclose(panel.values[0, 0], [11.5, 1010, 10])
    assert np.isnan(panel.values[0, 1]).all()


def test_stations_by_column_and_by_prefix_are_the_same(tmp_path):
    long = ["s,date,t", "A,2020-01-01,32", "B,2020-01-01,50", "A,2020-01-02,41", "B,2020-01-02,59"]
    wide = ["date,A_t,B_t", "2020-01-01,32,50", "2020-01-02,41,59"]
    temperature = {"air_temperature": {"column": "t", "unit": "degF"}}
    found = []
    for rows, station in ((long, {"column": "s"}), (wide, {"prefixes": ["A", "B"]})):
        panel, _ = read_panel(source(table={"station": station, "quantities": temperature}), write(tmp_path, rows))
        assert panel.stations == ("A", "B")
        found.append(panel.values)
    np.testing.assert_allclose(found[0], found[1])
    np.testing.assert_allclose(found[0][:, :, 0], [[0, 5], [10, 15]], atol=1e-9)


def netcdf(folder, unit):
    import xarray as xr

    days = np.arange("2020-01-01", "2020-01-04", dtype="datetime64[D]").astype("datetime64[ns]")
    values = np.array([[32.0, 41], [50, 59], [np.nan, 68]])
    data = xr.Dataset({"t": (("time", "station"), values, {"units": unit})}, {"time": days, "station": ["A", "B"]})
    data.to_netcdf(folder / "a.nc", engine="h5netcdf")
    return folder


def test_netcdf_is_read_with_its_units_checked(tmp_path):
    table = {
        "files": ["a.nc"],
        "format": "netcdf",
        "time": {"columns": ["time"]},
        "station": {"column": "station"},
        "quantities": {"air_temperature": {"column": "t", "unit": "degF"}},
    }
    panel, found = read_panel(source(table=table), netcdf(tmp_path, "degree_Fahrenheit"))
    assert not found
    assert panel.stations == ("A", "B")
    np.testing.assert_allclose(panel.values[:, :, 0], [[0, 10, np.nan], [5, 15, 20]], atol=1e-9)
    with pytest.raises(UsageError, match="t is in 'K', declared is 'degF'"):
        read_panel(source(table=table), netcdf(tmp_path, "K"))


def three_days(folder, unit, values, days=None, **how):
    import xarray as xr

    if days is None:
        days = np.arange("2020-01-01", "2020-01-04", dtype="datetime64[D]").astype("datetime64[ns]")
    data = xr.Dataset({"v": (("time",), np.array(values), {"units": unit})}, {"time": days})
    data.to_netcdf(folder / "a.nc", **{"engine": "h5netcdf", **how})
    return folder


def one_variable(quantity, unit) -> Source:
    table = {"files": ["a.nc"], "format": "netcdf", "time": {"columns": ["time"]}, "station": {"name": "A"}}
    return Source(name="made", tables=[{**table, "quantities": {quantity: {"column": "v", "unit": unit}}}])


@pytest.mark.parametrize(
    ("quantity", "unit", "written"),
    [
        ("wind_speed", "m/s", "m s-1"),
        ("global_radiation", "W/m^2", "W m-2"),
        ("precipitation", "mm", "kg m-2"),
        ("precipitation", "kg m-2", "mm"),
        ("particulate_matter", "ug/m^3", "ug m-3"),
        ("air_temperature", "degC", "Celsius"),
        ("air_temperature", "degC", "degrees_C"),
        ("air_temperature", "degC", "degree_C"),
        ("cloud_cover", "okta", "oktas"),
        ("sunshine", "hour", "h"),
    ],
)
def test_units_may_be_written_as_the_cf_conventions_do(tmp_path, quantity, unit, written):
    panel, _ = read_panel(one_variable(quantity, unit), three_days(tmp_path, written, [1.0, 2, 3]))
    np.testing.assert_allclose(panel.values.ravel(), [1, 2, 3])


def test_units_that_mean_the_same_are_the_same_and_others_are_told(tmp_path):
    panel, _ = read_panel(one_variable("air_pressure", "hPa"), three_days(tmp_path, "mbar", [1000.0, 1001, 1002]))
    np.testing.assert_allclose(panel.values.ravel(), [1000, 1001, 1002])
    with pytest.raises(UsageError, match="declared is 'hPa': the file and its description differ"):
        read_panel(one_variable("air_pressure", "hPa"), three_days(tmp_path, "Pa", [1000.0, 1001, 1002]))
    with pytest.raises(UsageError, match="is no unit of wind_speed"):
        read_panel(one_variable("wind_speed", "m/s"), three_days(tmp_path, "kg m-2", [1.0, 2, 3]))


def test_netcdf_that_cannot_be_read_says_why(tmp_path):
    source, days = one_variable("air_temperature", "degC"), np.array(["2020-01-01", "NaT", "2020-01-03"], "M8[ns]")
    with pytest.raises(UsageError, match="step 2 of time has no time"):
        read_panel(source, three_days(tmp_path, "degC", [1.0, 2, 3], days))
    three_days(tmp_path, "degC", [1.0, 2, 3], engine="scipy", format="NETCDF3_64BIT")
    with pytest.raises(UsageError, match=r"is NetCDF-3; NetCDF-4 is read: nccopy -k 4"):
        read_panel(source, tmp_path)


def two_tables(**defects) -> Source:
    """Two files with the same quantity of the same station."""
    temperature = {"air_temperature": {"column": "t", "unit": "degC"}}
    table = {"time": {"columns": ["date"]}, "station": {"name": "A"}, "quantities": temperature}
    return Source(name="made", tables=[{**table, "files": [name]} for name in ("a.csv", "b.csv")], defects=defects)


def test_a_missing_value_of_another_table_replaces_no_number(tmp_path):
    write(tmp_path, ["date,t", "2020-01-01,1", "2020-01-02,2", "2020-01-03,NA"])
    write(tmp_path, ["date,t", "2020-01-02,NA", "2020-01-03,3", "2020-01-04,4"], "b.csv")
    panel, found = read_panel(two_tables(), tmp_path)
    assert not found
    assert panel.values.ravel().tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(("policy", "expected"), [("first", 2), ("last", 9)])
def test_of_two_tables_with_the_same_day_the_declared_one_counts(tmp_path, policy, expected):
    write(tmp_path, ["date,t", "2020-01-01,1", "2020-01-02,2"])
    write(tmp_path, ["date,t", "2020-01-02,9", "2020-01-03,3"], "b.csv")
    panel, (doubled,) = read_panel(two_tables(doubled=policy), tmp_path)
    assert "b.csv:2 (2020-01-02): A: air_temperature of this day stands in a.csv:3 too" in str(doubled)
    assert panel.values.ravel().tolist() == [1, expected, 3]
    with pytest.raises(UsageError, match=r"stands in a\.csv:3 too"):
        read_panel(two_tables(), tmp_path)


def test_gaps_are_those_of_all_tables_together(tmp_path):
    write(tmp_path, ["date,t", "2020-01-01,1", "2020-01-03,3", "2020-01-05,5"])
    write(tmp_path, ["date,t", "2020-01-02,2", "2020-01-09,9"], "b.csv")
    _, found = read_panel(two_tables(), tmp_path)
    assert [str(gap).split(": ", 2)[2] for gap in found] == [
        "1 days without a row, 2020-01-04 to 2020-01-04",
        "3 days without a row, 2020-01-06 to 2020-01-08",
    ]


def test_a_station_without_a_name_is_refused_with_its_line(tmp_path):
    temperature = {"air_temperature": {"column": "t", "unit": "degC"}}
    table = {"station": {"column": "s"}, "quantities": temperature}
    write(tmp_path, ["s,date,t", "A,2020-01-01,1", ",2020-01-02,2"])
    with pytest.raises(UsageError, match=r"a\.csv:3: no name of a station in s"):
        read_panel(source(table=table), tmp_path)


def test_a_description_in_another_encoding_is_told(tmp_path):
    (tmp_path / "s.yaml").write_bytes("name: Z\u00fcrich\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"is no UTF-8 \(byte 8\)"):
        load_source(str(tmp_path / "s.yaml"))


def test_a_high_station_is_told_how_to_lower_the_bound(tmp_path):
    write(tmp_path, ["date,p", *(f"2020-01-{day:02d},{690 + day}" for day in range(1, 20))])
    pressure = {"column": "p", "unit": "hPa"}
    with pytest.raises(UsageError, match="give the column a minimum"):
        read_panel(source(table={"quantities": {"air_pressure": pressure}}), tmp_path)
    panel, found = read_panel(source(table={"quantities": {"air_pressure": {**pressure, "minimum": 500}}}), tmp_path)
    assert not found
    assert panel.values[0, 0, 0] == 691


def test_delhi_as_published(station_files):
    panel, found = read_panel(load_source("delhi"), station_files)
    assert panel.values.shape == (1, 1575, 4)
    assert np.isfinite(panel.values[0, :, 0]).all()
    assert sorted(defect.kind for defect in found) == ["doubled", *["value"] * 10]
    at = np.searchsorted(panel.days, np.datetime64("2017-01-01"))
    assert panel.values[0, at, 0] == pytest.approx(15.913, abs=1e-3)  # not the partial day's 10.0
    assert np.isnan(panel.values[0, at, 3])
