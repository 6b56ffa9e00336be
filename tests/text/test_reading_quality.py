"""How often text and titles were read, on rows written by hand."""

import json

import pyarrow as pa

from meteo_ray.text.reading_quality import reading_quality


def rows(*entries: tuple) -> pa.Table:
    """Rows of the title that labels.jsonl gives, whether they are charts, title and text that were read."""
    columns = list(zip(*entries, strict=True)) or [(), (), (), ()]
    extra = [json.dumps({} if given is None else {"title": given}) for given in columns[0]]
    return pa.table(
        {
            "extra": pa.array(extra, pa.string()),
            "is_meteo": pa.array(columns[1], pa.bool_()),
            "title": pa.array(columns[2], pa.string()),
            "text": pa.array(columns[3], pa.string()),
        }
    )


def test_shares_of_what_was_read_and_of_titles_that_are_right():
    found = reading_quality(
        rows(
            ("850 hPa 風場", True, "850hpa风场", "850hpa风场"),  # equal once normalised
            ("Snow depth", True, "Snow Depth  06Z05JUL2021", "..."),  # a date beside it
            ("Snow depth", True, "WX LAB", "WX LAB"),
            ("Snow depth", True, "", "12 14 16"),
            (None, True, "Rain", "Rain"),
            ("table page", False, "Quarterly report", "Quarterly report"),  # what kind of other image it is
            ("Snow depth", True, None, None),
            ("", True, None, None),
        )
    )
    assert found == {
        "read": 6 / 8,
        "with_title": 5 / 6,
        "titles_given": 4,
        "titles_right": 2 / 4,
        "titles_equal": 1 / 4,
    }


def test_nothing_read_leaves_the_rest_undefined():
    unread = {"with_title": None, "titles_given": 0, "titles_right": None, "titles_equal": None}
    assert reading_quality(rows(("Rain", True, None, None))) == {"read": 0.0, **unread}
    assert reading_quality(rows()) == {"read": None, **unread}
