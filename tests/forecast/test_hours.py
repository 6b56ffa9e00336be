"""Hours to days: what is no hour is refused, what comes twice is told, days come together over files."""

import numpy as np
import pytest

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.reading import read_panel
from meteo_ray.forecast.series.source import Source

TEMPERATURE = {"air_temperature": {"column": "t", "unit": "degC"}}
RAIN = {"precipitation": {"column": "t", "unit": "mm"}}


def described(quantities=TEMPERATURE, files=("a.csv",), time="%Y-%m-%dT%H:%M", **defects) -> Source:
    table = {"files": list(files), "time": {"columns": ["date"], "format": time}, "station": {"name": "A"}}
    return Source(name="made", tables=[{**table, "hourly": True, "quantities": quantities}], defects=defects)


def write(folder, rows, name="a.csv"):
    (folder / name).write_text("\n".join(["date,t", *rows]) + "\n", "utf-8")
    return folder


def hours(first=0, end=24, day=1, step=1):
    return [f"2020-06-{day:02d}T{hour:02d}:00,{hour}" for hour in range(first, end, step)]


def test_radiation_of_an_hour_may_be_above_that_of_any_day(tmp_path):
    radiation = {"global_radiation": {"column": "t", "unit": "W/m^2"}}
    sun = [max(0.0, 900 * np.sin((hour - 5) / 14 * np.pi)) if 5 < hour < 19 else 0.0 for hour in range(24)]
    rows = [f"2020-06-01T{hour:02d}:00,{value:.2f}" for hour, value in enumerate(sun)]
    panel, found = read_panel(described(radiation), write(tmp_path, rows))
    assert not found
    assert panel.values[0, 0, 0] == pytest.approx(np.mean(sun), abs=0.01)
    night = [f"2020-06-01T{hour:02d}:00,900" for hour in range(24)]
    panel, (whole,) = read_panel(described(radiation), write(tmp_path, night))
    assert "of the whole day, 900, lies outside 0 to 600" in str(whole)
    assert np.isnan(panel.values).all()


def test_a_time_that_comes_twice_is_told_and_counts_once(tmp_path):
    write(tmp_path, [*hours(0, 9), *hours(0, 9)])
    with pytest.raises(UsageError, match=r"a\.csv:11 \(2020-06-01\): A: this time stands in a\.csv:2 too"):
        read_panel(described(), tmp_path)
    panel, found = read_panel(described(doubled="last"), tmp_path)
    assert [defect.kind for defect in found] == ["doubled"] * 9 + ["gap"]
    assert np.isnan(panel.values).all()  # nine hours, however often


@pytest.mark.parametrize(("rows", "minutes"), [
    ([f"2020-06-01T{hour:02d}:{minute:02d},1" for hour in range(24) for minute in range(0, 60, 10)], 10),
    ([row for day in (1, 2, 3) for row in hours(step=3, day=day)], 180),
    ([f"2020-06-{day:02d}T00:00,1" for day in range(1, 9)], 1440),
])  # fmt: skip
def test_rows_that_are_no_hours_are_refused(tmp_path, rows, minutes):
    with pytest.raises(UsageError, match=rf"a\.csv: rows of A are {minutes} minutes apart"):
        read_panel(described(RAIN), write(tmp_path, rows))


def test_a_day_with_too_few_hours_is_told_and_may_be_refused(tmp_path):
    write(tmp_path, [*hours(day=1), *hours(0, 10, day=2)])
    panel, (short,) = read_panel(described(), tmp_path)
    assert str(short) == "a.csv:26 (2020-06-02): A: 10 of 24 hours, wanted are 18"
    assert np.isnan(panel.values[0, 1, 0])
    with pytest.raises(UsageError, match="10 of 24 hours"):
        read_panel(described(gap="refuse"), tmp_path)


def test_a_day_over_two_files_is_one(tmp_path):
    write(tmp_path, hours(0, 12))
    write(tmp_path, hours(12, 24), "b.csv")
    panel, found = read_panel(described(files=("a.csv", "b.csv")), tmp_path)
    assert not found
    assert panel.values.item() == 11.5


def test_rows_between_the_hours_belong_to_theirs(tmp_path):
    """A report out of turn does not weigh more than an hour without one; rain of it adds up."""
    write(tmp_path, [*hours(), "2020-06-01T23:30,33"])
    assert read_panel(described(), tmp_path)[0].values.item() == pytest.approx((sum(range(23)) + (23 + 33) / 2) / 24)
    assert read_panel(described(RAIN), tmp_path)[0].values.item() == pytest.approx(sum(range(24)) + 33)


def test_an_offset_does_not_move_the_day(tmp_path):
    write(tmp_path, [row.replace(",", "+0200,") for row in hours()])
    panel, found = read_panel(described(time="%Y-%m-%dT%H:%M%z"), tmp_path)
    assert not found
    assert panel.days.astype(str).tolist() == ["2020-06-01"]
    assert panel.values.item() == 11.5


@pytest.mark.parametrize(("quantity", "unit", "expected"), [
    ("air_temperature_maximum", "degC", 23), ("air_temperature_minimum", "degC", 0), ("wind_gust", "m/s", 23),
])  # fmt: skip
def test_extremes_of_hours_become_that_of_the_day(tmp_path, quantity, unit, expected):
    described_so = described({quantity: {"column": "t", "unit": unit}})
    assert read_panel(described_so, write(tmp_path, hours()))[0].values.item() == expected
    gap = [*hours(0, 5), *hours(20, 24), "2020-06-01T23:30,30"]
    assert np.isnan(read_panel(described_so, write(tmp_path, gap))[0].values).all()
    whole = read_panel(described_so, write(tmp_path, [*hours(), "2020-06-01T23:30,30"]))[0].values.item()
    assert whole == (30 if expected else 0)


def test_rain_since_midnight_is_no_rain_of_hours(tmp_path):
    """As ERA5-Land has it: the sum of a day stands at the next midnight."""
    rain = np.random.default_rng(0).gamma(0.2, 2.0, (12, 24))
    stamps = np.datetime64("2020-06-01T01:00", "m") + np.arange(12 * 24) * np.timedelta64(60, "m")

    def rows(values):
        return [f"{stamp},{value:.4f}" for stamp, value in zip(stamps, values.ravel(), strict=True)]

    panel, _ = read_panel(described(RAIN), write(tmp_path, rows(rain)))
    assert np.isfinite(panel.values[0, :12]).all()
    with pytest.raises(UsageError, match=r"a\.csv: t of A grows all day and falls at one hour of it alone, 11 times"):
        read_panel(described(RAIN), write(tmp_path, rows(rain.cumsum(axis=1))))
