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


def test_delhi_as_published(station_files):
    panel, found = read_panel(load_source("delhi"), station_files)
    assert panel.values.shape == (1, 1575, 4)
    assert np.isfinite(panel.values[0, :, 0]).all()
    assert sorted(defect.kind for defect in found) == ["doubled", *["value"] * 10]
    at = np.searchsorted(panel.days, np.datetime64("2017-01-01"))
    assert panel.values[0, at, 0] == pytest.approx(15.913, abs=1e-3)  # not the partial day's 10.0
    assert np.isnan(panel.values[0, at, 3])
