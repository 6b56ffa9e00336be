"""Time, level and centre as charts write them; where there is doubt, none."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.text.facts import centre_of, level_of, valid_time_of
from tests.text.charts import line, page

FORMS = ("Valid: %Y-%m-%d %H UTC", "%HZ %d %b %Y", "%Y%m%d%H UTC", "%Y年%m月%d日%H时（UTC）", "%B %d, %Y %H:%M UTC")
NOON = datetime(2021, 5, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Valid: Mon 2021-05-03 12 UTC",
        "VT: 12:00 UTC 3 May 2021",
        "VALID TIME: Mon 03 May 2021 12, STEP: 36",
        "Valid Time:21050312",
        "12Z 03 May 2021",
        "12Z03MAY2021",
        "2021-05-03T12:00:00Z",
        "2021/05/03 1200 UTC",
        "May 3, 2021 12:00 GMT",
        "3.5.2021 12 UTC",
        "2021050312 UTC",
        "20210503_1200 UTC",
        "2021年5月3日20时",
        "2021年05月03日20时00分",
        "北京时间2021-05-03 20:00",
        "2021年5月3日12时（世界时）",
        "世界时2021年5月3日12时",
        "五月3,2021 12:00:00 UTC",
        "210503/1200V024 500 MB HGHT",
        "Valid 7:00 AM CDT Mon May 03 2021",
        "valid 2021-05-0312:00:00",
        "valid 3 May 202112:00 UTC",
        "Sunday 02 May 2021 00 UTC ecmf t+36 VT:Monday 03 May 2021 12 UTC 500 hPa",
        "Run: 00:00 UTC 03 May 2021 F12 Valid: 12:00 UTC 03 May 2021",
        "12 hr forecast from 2021/5/3 00 UTC",
        "2021-05-03 00 UTC T+012",
        "2021年5月2日20时24小时降水量预报图",
        "起报时间:2021年5月3日08时 预报时效:12小时",
        "2021年5月2日20时起报24H时效预报和观测",
        "24 UTC 2 May 2021 fxx 12h",
    ],
)
def test_a_time_in_one_line_is_understood(text: str) -> None:
    assert valid_time_of(page("850 hPa wind", text)) == NOON


@pytest.mark.parametrize(
    "texts",
    [
        ("Base time: Sun 02 May 2021 00 UTC", "Valid time: Mon 03 May 2021 12 UTC (+36h)"),
        ("Initial Time: 21050200", "Forecast Time:36"),
        ("Initial: 2021-05-03 00 UTC", "Valid:", "2021-05-03 12 UTC"),
        ("2021-05-02 12 UTC", "T+24", "2021-05-03 12 UTC"),
        ("Issued: 2021-05-02 03 UTC", "2021-05-03 12 UTC"),
        ("2021-05-03 12:00", "All times in UTC"),
    ],
)
def test_a_time_in_several_lines_is_understood(texts: tuple[str, ...]) -> None:
    assert valid_time_of(page(*texts)) == NOON


@pytest.mark.parametrize(
    "texts",
    [
        (),
        ("850 hPa", "1013", "2021"),
        ("2021-05-03",),
        ("2021-05-03 12:00",),
        ("2021-05-03 08:00 LST",),
        ("05/03/2021",),
        ("2021-05-03 25:00 UTC",),
        ("Valid: 3 May 2021 10:26 pm",),
        ("2021-02-30 12 UTC",),
        ("Issued: 2021-05-03 05 UTC",),
        ("Run: 2021-05-03 00 UTC",),
        ("2021年5月3日08时至2021年5月4日08时",),
        ("2021-05-03 12 UTC - 2021-05-04 12 UTC",),
        ("2021-05-03 12 UTC", "2021-05-03 18 UTC"),
        ("2021-05-03 00 UTC", "T+24", "T+48"),
        ("1 hour rain 2021050312",),
    ],
)
def test_doubt_gives_no_time(texts: tuple[str, ...]) -> None:
    assert valid_time_of(page(*texts)) is None


@given(st.datetimes(datetime(1950, 1, 1), datetime(2049, 12, 31)))
def test_every_hour_is_read_back(time: datetime) -> None:
    told = time.replace(minute=0, second=0, microsecond=0, tzinfo=UTC)
    for form in (
        "Valid: %Y-%m-%d %H UTC",
        "%HZ %d %b %Y",
        "%Y%m%d%H UTC",
        "%Y年%m月%d日%H时（UTC）",
        "%B %d, %Y %H:%M UTC",
    ):
        assert valid_time_of(page(told.strftime(form))) == told


@given(st.lists(st.text(max_size=60), max_size=5))
def test_any_text_is_taken(texts: list[str]) -> None:
    time = valid_time_of(page(*texts))
    assert time is None or time.tzinfo is UTC
    level_of(page(*texts))
    centre_of(page(*texts))


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("850 hPa temperature and wind", "850 hPa"),
        ("85OhPa風場", "850 hPa"),
        ("500 MB Height (dm), Wind Speed (kt)", "500 hPa"),
        ("250-hPa Geopotential Heights (m)", "250 hPa"),
        ("700百帕 垂直速度", "700 hPa"),
        ("2m temperature", "2 m"),
        ("10 metre wind speed (m s-1)", "10 m"),
        ("近地面2米气温", "2 m"),
        ("Potential vorticity at 320 K", "320 K"),
        ("Surface analysis of fronts", "surface"),
        ("地面天气分析图", "surface"),
        ("Mean sea level pressure", None),
        ("Sea surface temperature of the ocean", None),
        ("Surface-based CAPE in J/kg", None),
        ("wind speed above 10 m/s", None),
        ("Visibility below 2 mm of rain", None),
        ("Pressure 1013 hPa", None),
        ("500-1000 hPa thickness", None),
        ("Geopotential 500 hPa and temperature 850 hPa", None),
        ("Brightness temperature of 300 K", None),
    ],
)
def test_the_level_of_a_title(text: str, level: str | None) -> None:
    assert level_of([line(text)]) == level


def test_the_titles_level_counts_more_than_the_rests() -> None:
    assert level_of([line("Temperature at 850 hPa"), line("500 hPa", top=0.6), line("300 hPa", top=0.7)]) == "850 hPa"


def test_levels_beside_an_axis_give_none() -> None:
    assert level_of([line("Model sounding"), line("500 hPa", top=0.6), line("300 hPa", top=0.7)]) is None


@pytest.mark.parametrize(
    ("text", "centre"),
    [
        ("© European Centre for Medium-Range Weather Forecasts", "ECMWF"),
        ("Monday 03 May 2021 00 UTC ecmf t+0", "ECMWF"),
        ("NOAA / NWS", "NCEP"),
        ("NOAA HYSPLIT model", "NOAA"),
        ("GFS_0p25", "NCEP"),
        ("中央氣象局", "CWA"),
        ("中央气象台 2021年5月3日", "CMA"),
        ("Deutscher Wetterdienst", "DWD"),
        ("Environment Canada", "ECCC"),
        ("中央气象台 ECMWF模式", None),
        ("acmaz dwdx", None),
        ("", None),
    ],
)
def test_the_centre_is_found(text: str, centre: str | None) -> None:
    assert centre_of([line(text)]) == centre
