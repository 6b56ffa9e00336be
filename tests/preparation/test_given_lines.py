"""What labels.jsonl may say is written on an image."""

import json
from pathlib import Path
from typing import Any

import pytest

from meteo_ray.preparation.given_lines import as_read, given_lines
from meteo_ray.preparation.labels_file import read_labels
from meteo_ray.text.lines import TextLine
from meteo_ray.text.modes import MODES

LINE = {"text": "500hPa", "left": 0.1, "top": 0, "right": 0.5, "bottom": 1}


def test_lines_are_given_as_if_read_without_doubt() -> None:
    assert given_lines({"text_lines": [LINE]}) == (TextLine("500hPa", 0.1, 0.0, 0.5, 1.0, 1.0),)
    assert given_lines({"text_lines": []}) == ()
    assert given_lines({"text_lines": None}) is None
    assert given_lines({}) is None


def test_of_given_lines_those_count_that_a_reading_in_the_mode_would_find() -> None:
    title = TextLine("Wind at 850 hPa", 0.2, 0.02, 0.8, 0.08, 1.0)
    tick = TextLine("30", 0.01, 0.1, 0.02, 0.12, 1.0)  # 10 x 10 of 1000 x 500 pixels
    city = TextLine("a city in the middle", 0.4, 0.5, 0.6, 0.53, 1.0)
    cut = TextLine("a legend that is cut", 0.4, 0.18, 0.6, 0.22, 1.0)
    caption = TextLine("valid 12 UTC", 0.1, 0.95, 0.5, 0.98, 1.0)
    written = (city, title, tick, cut, caption)
    assert as_read(written, MODES["page"], 1000, 500) == written
    assert as_read(written, MODES["title"], 1000, 500) == (title, caption)
    many = tuple(TextLine(str(n), 0.0, 0.0, 0.3 + n / 100, 0.01, 1.0) for n in range(20))
    assert as_read(many, MODES["title"], 1000, 500) == many[-MODES["title"].most_lines :]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("500hPa", "text_lines: expected a list of lines, null or no such key (not known), found '500hPa'"),
        (["500hPa"], "text_lines: line 1: expected an object with a text and its edges, found '500hPa'"),
        ([LINE, {**LINE, "text": 5}], "text_lines: line 2: expected an object with a text"),
        ([{**LINE, "left": -0.1}], "text_lines: line 1: left must be a share of the image from 0 to 1, found -0.1"),
        ([{**LINE, "right": True}], "text_lines: line 1: right must be a share of the image from 0 to 1, found True"),
        ([{"text": "a"}], "text_lines: line 1: left must be a share of the image from 0 to 1, found None"),
        ([{**LINE, "left": 0.6}], "text_lines: line 1: left stands right of right"),
    ],
)
def test_other_lines_are_a_problem_with_its_place(tmp_path: Path, value: Any, problem: str) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(json.dumps({"path": "a.png", "is_meteo": 0, "text_lines": value}))
    file = read_labels(path, None)
    assert file.rows == []
    assert len(file.problems) == 1
    assert file.problems[0].startswith(f"{path}:1: {problem}")
    assert "\n" not in file.problems[0]


def test_rows_do_not_carry_the_lines(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text(json.dumps({"path": "a.png", "is_meteo": 0, "text_lines": [LINE], "kind": "doc"}))
    ((_, row),) = read_labels(path, None).rows
    assert row.text_lines is None
    assert row.extra == {"kind": "doc"}
