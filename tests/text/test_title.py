"""Which lines are the title."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.text.lines import TextLine
from meteo_ray.text.title import title_of
from tests.text.charts import HEIGHT, axes, line, page

SHARES = st.floats(0, 1)
LINES = st.builds(TextLine, st.text(max_size=40), SHARES, SHARES, SHARES, SHARES, SHARES)


@given(st.lists(LINES, max_size=20))
def test_any_lines_are_taken_and_the_title_is_made_of_them(lines: list[TextLine]) -> None:
    title = title_of(lines)
    assert title == "" or any(one.text.strip() in title for one in lines if one.text.strip())


def test_a_page_without_text_has_no_title() -> None:
    assert title_of([]) == ""


def test_ticks_and_names_of_axes_are_no_title() -> None:
    assert title_of(axes()) == ""


@pytest.mark.parametrize("text", ["850 hPa Temperature and Wind", "全国24小时降水量预报图", "累積雨量", "Visibility"])
def test_the_line_at_the_top_is_the_title(text: str) -> None:
    assert title_of([*axes(), line(text, left=0.3, top=0.02)]) == text


@pytest.mark.parametrize(
    "other",
    [
        "Valid: 2021-05-03 12 UTC",
        "Valid 2021-05-03 12 UTC",
        "START TIME: Mon 03 May 2021 00",
        "S1AH1 11ME: Mon 03 May 2021 00",
        "© Some Weather Service",
        "www.weather.example",
        "Time (UTC)",
        "host - user - Wed Mar 9 19:06:47 2022",
        "Longitude",
        "Lifted Index: -2.4",
        "04:52 UTC Feb 11, 2025",
        "[1]=forecast.nc",
    ],
)
def test_times_credits_and_values_are_no_title(other: str) -> None:
    title = "Mean sea level pressure"
    assert title_of([line(title), line(other, top=0.03 + 1.2 * HEIGHT), *axes()]) == title
    assert title_of([line(other), *axes()]) == ""


def test_two_lines_are_joined() -> None:
    lines = [line("Total precipitation and wind", top=0.02), line("over the North Atlantic", top=0.045), *axes()]
    assert title_of(lines) == "Total precipitation and wind over the North Atlantic"


def test_the_left_and_the_right_half_are_joined() -> None:
    lines = [line("Ensemble mean over 30 members", left=0.05), line("10 metre wind speed", left=0.7), *axes()]
    assert title_of(lines) == "Ensemble mean over 30 members 10 metre wind speed"


def test_a_right_half_that_begins_a_little_lower_is_joined() -> None:
    lines = [line("Regional model: 10 km domain"), line("2 metre temperature", left=0.7, top=0.03 + 0.8 * HEIGHT)]
    assert title_of([*lines, *axes()]) == "Regional model: 10 km domain 2 metre temperature"


def test_the_name_of_a_colour_bar_beside_a_title_is_no_part_of_it() -> None:
    title = "Forecast and observed temperature"
    assert title_of([line(title, left=0.3), line("Error (K)", left=0.9), *axes()]) == title


def test_a_title_below_the_map_is_found() -> None:
    text = "Surface temperature analysis of the region"
    assert title_of([*axes(), line(text, left=0.2, top=0.95)]) == text


def test_the_larger_line_is_the_title() -> None:
    lines = [
        *axes(),
        line("prepared for internal use", top=0.10),
        line("Typhoon track forecast", top=0.03, height=0.05),
    ]
    assert title_of(lines) == "Typhoon track forecast"


def test_the_name_of_a_variable_alone_at_the_top_is_a_title() -> None:
    assert title_of([*axes(), line("slp", left=0.5, top=0.05)]) == "slp"


def test_what_was_read_badly_is_no_title() -> None:
    assert title_of([*axes(), line("aylvia Wled yvircal mag", score=0.4)]) == ""


def test_a_title_is_found_among_other_text() -> None:
    lines = page("500 hPa geopotential height", "VALID TIME: Mon 03 May 2021 12, STEP: 12")
    assert title_of([*lines, *axes()]) == "500 hPa geopotential height"


@pytest.mark.parametrize("unit", ["[]", "()", "(1)", "[ ] "])
def test_brackets_in_a_row_take_no_time(unit):
    """A pattern that can divide them up in many ways would go on for years."""
    assert title_of(page(unit * 40 + "Wind", "Total precipitation 24 h")) == "Total precipitation 24 h"
