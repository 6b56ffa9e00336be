"""The usual fields of ERA5 in GRIB, of which every message tells its parameter, unit and interval."""

import numpy as np
import pytest

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.reading import read_panel
from meteo_ray.forecast.series.source import Source
from tests.grib_files import degrees, message, write

GRID = degrees(2, 2, 50.0, 359.0, 1.0)
WIND = {"wind_speed": {"components": ["u10", "v10"], "unit": "m s-1"}}
SUN = {"global_radiation": {"column": "ssrd", "unit": "J m-2"}}


def described(*quantities) -> Source:
    table = {"files": ["a.grib"], "format": "grib", "hourly": True, "station": {"places": True}}
    tables = [{**table, "quantities": each} for each in quantities]
    return Source(name="made", tables=tables, stations={"A": {"latitude": 49.1, "longitude": -0.8}})


def field(name, value, steps):
    keys = {"shortName": name, "dataDate": 20200601, "dataTime": 0}
    keys |= {"stepType": "accum"} if name == "ssrd" else {}
    return message(np.full((2, 2), value), "regular_ll_sfc_grib1", **GRID, **keys, stepRange=steps)


@pytest.mark.parametrize("columns", [("u10", "v10"), ("10u", "10v")])
def test_both_are_read_of_one_file(tmp_path, columns):
    hours = [raw for hour in range(24) for raw in (field("10u", 6 - hour % 2 * 12, hour), field("10v", 8, hour))]
    write(tmp_path / "a.grib", *hours, *(field("ssrd", 3600 * 20 * hour, f"{hour}-{hour + 1}") for hour in range(24)))
    wind = {"wind_speed": {**WIND["wind_speed"], "components": columns}}
    panel, found = read_panel(described(wind, SUN), tmp_path)
    assert not found
    assert panel.quantities == ("wind_speed", "global_radiation")
    np.testing.assert_allclose(panel.values[0, 0], [10, 20 * 11.5], rtol=1e-3)


def test_a_component_that_is_not_there_is_named(tmp_path):
    write(tmp_path / "a.grib", *(field("10u", 3, hour) for hour in range(24)))
    with pytest.raises(UsageError, match=r"a\.grib: no parameter v10; the file has u10"):
        read_panel(described(WIND), tmp_path)


def test_another_unit_than_declared_is_refused(tmp_path):
    write(tmp_path / "a.grib", field("10u", 3, 0), field("10v", 3, 0), field("ssrd", 3, "0-1"))
    with pytest.raises(UsageError, match=r"u10 is in 'm s.*-1', declared is 'km/h'"):
        read_panel(described({"wind_speed": {**WIND["wind_speed"], "unit": "km/h"}}), tmp_path)
    with pytest.raises(UsageError, match=r"ssrd is in 'J m.*-2', declared is 'W m-2'"):
        read_panel(described({"global_radiation": {"column": "ssrd", "unit": "W m-2"}}), tmp_path)


def test_energy_since_the_start_of_the_day_is_refused(tmp_path):
    write(tmp_path / "a.grib", *(field("ssrd", 3600 * hour, f"0-{hour}") for hour in range(1, 25)))
    with pytest.raises(UsageError, match="ssrd is of intervals of 1 hours and, in message 2, of 2; sums since"):
        read_panel(described(SUN), tmp_path)
