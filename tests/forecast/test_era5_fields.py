"""The usual fields of ERA5: wind speed of two components, and radiation as the energy that fell in an hour or a day."""

import numpy as np
import pytest
import xarray as xr

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.reading import read_panel
from meteo_ray.forecast.series.source import Source

WIND = {"wind_speed": {"components": ["u10", "v10"], "unit": "m s-1"}}
SUN = {"global_radiation": {"column": "ssrd", "unit": "J m-2"}}
PLACE = {"latitude": 49.1, "longitude": -0.8}
HOUR = np.timedelta64(1, "h")


def described(quantities, hourly=True, files=("a.csv",), stations=None, **table) -> Source:
    whole = {"files": list(files), "hourly": hourly, "station": {"name": "A"}, "quantities": quantities, **table}
    if "format" not in table:
        whole["time"] = {"columns": ["date"], "format": "%Y-%m-%dT%H"}
    return Source(name="made", tables=[whole], stations=stations or {})


def stamps(count, first="2020-06-01T00", step=1):
    return np.datetime64(first, "h") + step * HOUR * np.arange(count)


def write(folder, columns, times=None, name="a.csv"):
    """A CSV table; `columns` maps names to series."""
    times = stamps(len(next(iter(columns.values())))) if times is None else times
    rows = [",".join([str(time), *map(str, values)]) for time, *values in zip(times, *columns.values(), strict=True)]
    (folder / name).write_text("\n".join([",".join(["date", *columns]), *rows]) + "\n", "utf-8")
    return folder


def sun_of(days, noon=12, length=14.0, most=900.0):
    """Radiation of the hours of some days, W m-2 `(days, 24)`, with clouds."""
    phase = (np.arange(24) - noon + 12) % 24 - 12
    clear = most * np.cos(np.pi * phase / length).clip(0) * (abs(phase) < length / 2)
    return clear * np.random.default_rng(0).uniform(0.3, 1, (days, 24))


# Wind.


def test_wind_speed_is_made_of_two_components_hour_by_hour(tmp_path):
    """A wind that turns round has a speed; its mean components have none."""
    turning = [6.0, -6.0] * 12
    panel, found = read_panel(described(WIND), write(tmp_path, {"u10": turning, "v10": [8.0] * 24}))
    assert not found
    assert panel.quantities == ("wind_speed",)
    assert panel.values.item() == pytest.approx(10)


def test_components_are_converted_together(tmp_path):
    knots = {"wind_speed": {"components": ["u10", "v10"], "unit": "km/h"}}
    panel, _ = read_panel(described(knots), write(tmp_path, {"u10": [21.6] * 24, "v10": [-28.8] * 24}))
    assert panel.values.item() == pytest.approx(10)


def test_an_hour_without_one_of_the_components_has_no_speed(tmp_path):
    columns = {"u10": [3.0] * 24, "v10": ["NA"] * 7 + [4.0] * 17}
    panel, _ = read_panel(described(WIND), write(tmp_path, columns))
    assert np.isnan(panel.values).all()  # 17 hours are no day
    panel, _ = read_panel(described(WIND), write(tmp_path, {**columns, "v10": ["NA"] * 6 + [4.0] * 18}))
    assert panel.values.item() == pytest.approx(5)


def test_an_impossible_speed_is_told_by_its_components(tmp_path):
    panel, (told,) = read_panel(described(WIND), write(tmp_path, {"u10": [3.0] * 23 + [-9000], "v10": [4.0] * 24}))
    assert str(told).startswith("a.csv:25 (2020-06-01): A: u10, v10 9000 m s-1 lies outside 0 to 100")
    assert panel.values.item() == pytest.approx(5)


def test_a_component_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"a\.csv: no column v10; the file has date, u10"):
        read_panel(described(WIND), write(tmp_path, {"u10": [3.0]}))
    prefixed = described(WIND, station={"prefixes": ["A", "B"]})
    both = {"A_u10": [3.0] * 24, "A_v10": [4.0] * 24}
    with pytest.raises(UsageError, match=r"a\.csv: no column B_u10; the file has"):
        read_panel(prefixed, write(tmp_path, {**both, "B_v10": [4.0] * 24}))
    panel, _ = read_panel(prefixed, write(tmp_path, {**both, "B_u10": [0.0] * 24, "B_v10": [1.0] * 24}))
    np.testing.assert_allclose(panel.values.ravel(), [5, 1])


def test_a_station_with_other_columns_needs_no_components(tmp_path):
    quantities = {**WIND, "air_temperature": {"column": "t", "unit": "degC"}}
    columns = {"A_u10": [3.0] * 24, "A_v10": [4.0] * 24, "B_t": [9.0] * 24}
    panel, _ = read_panel(described(quantities, station={"prefixes": ["A", "B"]}), write(tmp_path, columns))
    np.testing.assert_array_equal(panel.values[:, 0], [[5, np.nan], [np.nan, 9]])


@pytest.mark.parametrize(("quantity", "column", "hourly", "message"), [
    ("wind_speed", {"unit": "m/s"}, True, "give either column or components"),
    ("wind_speed", {"unit": "m/s", "column": "w", "components": ["u", "v"]}, True, "either column or components"),
    ("wind_speed", {"unit": "m/s", "components": ["u"]}, True, "two columns, of the eastward and the northward wind"),
    ("wind_speed", {"unit": "m/s", "components": ["u", "u"]}, True, "two columns"),
    ("wind_speed", {"unit": "m/s", "components": ["u", "v", "w"]}, True, "two columns"),
    ("wind_speed", {"unit": "hPa", "components": ["u", "v"]}, True, r"wind_speed \(u, v\): 'hPa' is no unit of"),
    ("air_pressure", {"unit": "hPa", "components": ["u", "v"]}, True, "air_pressure: has no components; of wind_speed"),
    ("wind_speed", {"unit": "m/s", "components": ["u", "v"]}, False, r"components want hourly rows \(hourly: true\)"),
])  # fmt: skip
def test_descriptions_of_components_that_cannot_be_meant_are_refused(quantity, column, hourly, message):
    with pytest.raises(ValueError, match=message):
        described({quantity: column}, hourly=hourly)


# Radiation.


def test_energy_of_an_hour_becomes_its_mean_power(tmp_path):
    sun = sun_of(1).ravel()
    panel, found = read_panel(described(SUN), write(tmp_path, {"ssrd": 3600 * sun}))
    assert not found
    assert panel.values.item() == pytest.approx(sun.mean())
    watt_hours = {"global_radiation": {"column": "ssrd", "unit": "W h m-2"}}
    assert read_panel(described(watt_hours), write(tmp_path, {"ssrd": sun}))[0].values.item() == pytest.approx(
        sun.mean()
    )


def test_energy_of_a_day_becomes_its_mean_power(tmp_path):
    megajoules = {"global_radiation": {"column": "ssrd", "unit": "MJ/m^2"}}
    panel, _ = read_panel(
        described(megajoules, hourly=False), write(tmp_path, {"ssrd": [8.64, 17.28]}, stamps(2, step=24))
    )
    np.testing.assert_allclose(panel.values.ravel(), [100, 200])


@pytest.mark.parametrize("noon", range(0, 24, 3))
def test_energy_since_midnight_is_refused(tmp_path, noon):
    """As ERA5-Land has it, wherever on the earth noon is; sums are packed, and so a little lower now and then."""
    sun = 3600 * sun_of(12, noon)
    times = stamps(12 * 24, "2020-06-01T01")
    packing = np.random.default_rng(1).uniform(-260, 260, sun.size)
    panel, _ = read_panel(described(SUN), write(tmp_path, {"ssrd": sun.ravel()}, times))
    assert np.isfinite(panel.values[0, :12]).all()
    sums = sun.cumsum(axis=1).ravel() + packing
    with pytest.raises(
        UsageError, match=r"a\.csv: ssrd of A grows all day and falls at one hour of it alone, 11 times"
    ):
        read_panel(described(SUN), write(tmp_path, {"ssrd": sums}, times))


@pytest.mark.parametrize("quantities", [SUN, {"precipitation": {"column": "ssrd", "unit": "m"}}])
def test_sums_since_midnight_in_files_of_a_day_each_are_refused(tmp_path, quantities):
    sums = (sun_of(12, most=100) / 1e6 if "precipitation" in quantities else 3600 * sun_of(12, most=100)).cumsum(axis=1)
    times = stamps(12 * 24, "2020-06-01T01").reshape(12, 24)
    for day in range(12):
        write(tmp_path, {"ssrd": sums[day]}, times[day], f"{day}.csv")
    with pytest.raises(UsageError, match=r"0\.csv: ssrd of A grows all day"):
        read_panel(described(quantities, files=[f"{day}.csv" for day in range(12)]), tmp_path)


def test_days_of_two_hours_of_light_are_no_sums_since_midnight(tmp_path):
    """Where the polar night begins, radiation of hours falls at one hour of the day alone, too."""
    dark = np.zeros((20, 24))
    dark[:, 11:13] = [10, 20]
    panel, found = read_panel(described(SUN), write(tmp_path, {"ssrd": (3600 * dark).ravel()}))
    assert not found
    np.testing.assert_allclose(panel.values.ravel(), 30 / 24)


# Both in grids.


def netcdf(folder, values, units, kind):
    """Hours of a grid of one variable a name, as ECMWF's Climate Data Store writes them."""
    count = len(next(iter(values.values())))
    grid = {"latitude": [50.0, 49.0], "longitude": [359.0, 360.0]}
    variables = {
        name: (
            ("valid_time", *grid),
            np.multiply.outer(series, np.ones((2, 2))),
            {"units": unit, "GRIB_stepType": kind},
        )
        for (name, series), unit in zip(values.items(), units, strict=True)
    }
    times = stamps(count, "2020-06-01T01" if kind == "accum" else "2020-06-01T00").astype("datetime64[ns]")
    xr.Dataset(variables, {"valid_time": times, **grid}).to_netcdf(folder / "a.nc", engine="h5netcdf")
    return folder


def gridded(quantities, form):
    time = {"time": {"columns": ["valid_time"]}} if form == "netcdf" else {}
    file = "a.nc" if form == "netcdf" else "a.grib"
    return described(quantities, files=[file], format=form, station={"places": True}, stations={"A": PLACE}, **time)


def test_both_are_read_of_netcdf(tmp_path):
    wind = {"u10": np.full(24, 3.0), "v10": np.full(24, -4.0)}
    panel, found = read_panel(gridded(WIND, "netcdf"), netcdf(tmp_path, wind, ["m s**-1"] * 2, "instant"))
    assert not found
    assert panel.values.item() == pytest.approx(5)
    sun = sun_of(1).ravel()
    panel, found = read_panel(gridded(SUN, "netcdf"), netcdf(tmp_path, {"ssrd": 3600 * sun}, ["J m**-2"], "accum"))
    assert not found
    assert panel.days.astype(str).tolist() == ["2020-06-01"]  # the hour that ends at midnight is the day's last
    assert panel.values.item() == pytest.approx(sun.mean())
    sums = 3600 * sun_of(12).cumsum(axis=1).ravel()
    with pytest.raises(UsageError, match=r"a\.nc: ssrd of A grows all day"):
        read_panel(gridded(SUN, "netcdf"), netcdf(tmp_path, {"ssrd": sums}, ["J m**-2"], "accum"))


def test_components_of_different_units_and_power_for_energy_are_refused(tmp_path):
    wind = {"u10": np.full(24, 3.0), "v10": np.full(24, -4.0)}
    with pytest.raises(UsageError, match=r"a\.nc: v10 is in 'km/h', declared is 'm s-1'"):
        read_panel(gridded(WIND, "netcdf"), netcdf(tmp_path, wind, ["m s**-1", "km/h"], "instant"))
    del wind["v10"]
    with pytest.raises(UsageError, match=r"a\.nc: no variable v10; the file has u10"):
        read_panel(gridded(WIND, "netcdf"), netcdf(tmp_path, wind, ["m s**-1"], "instant"))
    netcdf(tmp_path, {"ssrd": np.zeros(24)}, ["W m**-2"], "avg")
    for unit in ("J m-2", "W h m-2", "W s m-2"):
        energy = {"global_radiation": {"column": "ssrd", "unit": unit}}
        with pytest.raises(UsageError, match=rf"a\.nc: ssrd is in 'W m\*\*-2', declared is '{unit}'"):
            read_panel(gridded(energy, "netcdf"), tmp_path)
