"""One spelling for what charts write in many, and nothing right made wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.text.normalise import normalised

# Of the letters and signs that the corrections are about, far more often than chance would give them.
PIECES = (
    "hPa",
    "8",
    "5",
    "O",
    "o",
    "l",
    "|",
    " ",
    "PM",
    "2",
    ".",
    "5",
    "m",
    "s",
    "-1",
    "/",
    "(",
    ")",
    "°",
    "C",
    "º",
    "µg",
    "m3",
    "颱風",
    "湿",
    "度",
)


@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@given(st.text(st.characters()))
def test_any_text_is_taken_and_becomes_one_line(text: str) -> None:
    found = normalised(text)
    assert found == found.strip()
    assert "\n" not in found
    assert "  " not in found


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\x00", "", "x" * 100_000, "㍱" * 30_000])
def test_odd_text_is_taken(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize(
    ("written", "spelling"),
    [
        ("８５０ｈＰａ　風場", "850hpa 风场"),
        ("颱風 鋒面 溼度 雲圖", "台风 锋面 湿度 云图"),
        ("10\u2212m — wind", "10-m - wind"),
        ("85OhPa", "850hpa"),
        ("5OO HPa", "500 hpa"),
        ("l000 hPa", "1000 hpa"),
        ("(mls)", "(m/s)"),
        ("12 m s⁻¹", "12 m/s"),
        ("ms-1", "m/s"),
        ("（℃）", "(°c)"),
        ("(ºC)", "(°c)"),
        ("20 ° C", "20 °c"),
        ("degree_Celsius", "°c"),
        ("PM2. 5", "pm2.5"),
        ("PM₂.₅", "pm2.5"),
        ("PM25", "pm2.5"),
        ("ug/m^3", "μg/m3"),
        ("µg m⁻³", "μg/m3"),
        ("d8Z", "dbz"),
        ("J kg-1", "j/kg"),
    ],
)
def test_units_levels_and_scripts_have_one_spelling(written: str, spelling: str) -> None:
    assert normalised(written) == spelling


@pytest.mark.parametrize(
    "right",
    ["oil hpa", "aura mls", "so cold", "pm10", "12 pm 10 march", "250 hpa", "干旱", "o3", "lo ms"],
)
def test_what_could_be_right_stays(right: str) -> None:
    assert normalised(right) == right
