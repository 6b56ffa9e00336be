"""labels.jsonl as users write it, and as nobody should (R1, R3)."""

import codecs
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.errors import UsageError
from meteo_ray.preparation.json_lines import MAX_DEPTH, parse_object
from meteo_ray.preparation.labels_file import LabelRow, LabelsFile, read_labels
from meteo_ray.vocabulary import load_vocabulary

VOCABULARY = load_vocabulary()


def read(tmp_path: Path, *lines: str | bytes, end: bytes = b"\n") -> LabelsFile:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(end.join(line.encode() if isinstance(line, str) else line for line in lines))
    return read_labels(path, VOCABULARY)


def only_row(tmp_path: Path, **columns: Any) -> LabelRow:
    file = read(tmp_path, json.dumps({"path": "a.png", "is_meteo": 1, **columns}))
    assert file.problems == []
    return file.rows[0][1]


def problem(tmp_path: Path, line: str | bytes) -> str:
    """The one problem of a line that stands behind a good one, without the file's path."""
    file = read(tmp_path, '{"path": "good.png", "is_meteo": 0}', line)
    assert [r.path for _, r in file.rows] == ["good.png"]
    assert len(file.problems) == 1
    return file.problems[0].removeprefix(f"{file.path}:")


def test_the_plans_example_row(tmp_path: Path) -> None:
    line = '{"path": "images/xxx.png", "is_meteo": 1, "labels": ["wind", "pressure"], "product": "24h_cn_2m_max_wind"}'
    number, row = read(tmp_path, line).rows[0]
    assert (number, row.path, row.is_meteo, row.labels) == (1, "images/xxx.png", True, ("wind", "pressure"))
    assert (row.product, row.time, row.source, row.extra) == ("24h_cn_2m_max_wind", None, None, {})


def test_absent_null_and_empty_labels_differ(tmp_path: Path) -> None:
    assert only_row(tmp_path).labels is None
    assert only_row(tmp_path, labels=None).labels is None
    assert only_row(tmp_path, labels=[]).labels == ()


def test_spellings_become_ids_in_vocabulary_order_each_once(tmp_path: Path) -> None:
    row = only_row(
        tmp_path, labels=["等压线", "ＷＩＮＤ", "风速", "Wind Field"], product="２４小时全国近地面2m最大风速"
    )
    assert row.labels == ("wind", "pressure")
    assert row.product == "24h_cn_2m_max_wind"


@pytest.mark.parametrize("name", ["radar_mosaic", "全国雷达组合反射率拼图", "National Radar Mosaic", "雷达拼图"])
def test_a_product_is_known_by_id_names_and_aliases(tmp_path: Path, name: str) -> None:
    assert only_row(tmp_path, product=name).product == "radar_mosaic"


@pytest.mark.parametrize(("given", "meaning"), [(0, False), (1, True), (False, False), (True, True)])
def test_is_meteo_has_four_spellings(tmp_path: Path, given: Any, meaning: bool) -> None:
    assert only_row(tmp_path, is_meteo=given).is_meteo is meaning


def test_further_keys_are_kept(tmp_path: Path) -> None:
    extra = {"language": "zh", "nested": {"a": [1, None]}, "split": "test", "extra": 1, "model_config": 2}
    assert only_row(tmp_path, **extra).extra == extra


@pytest.mark.parametrize(
    ("given", "utc"),
    [
        ("2024-07-01T08:00:00+08:00", datetime(2024, 7, 1, 0, 0)),
        ("2024-07-01T08:00:00Z", datetime(2024, 7, 1, 8, 0)),
        ("2024-07-01 08:00:00.75", datetime(2024, 7, 1, 8, 0)),
        ("2024-07-01", datetime(2024, 7, 1)),
        ("20240701T08", datetime(2024, 7, 1, 8)),
    ],
)
def test_times_are_utc(tmp_path: Path, given: str, utc: datetime) -> None:
    assert only_row(tmp_path, time=given).time == utc


@pytest.mark.parametrize("path", ["./images//a.png", "images/x/../a.png", "images/a.png"])
def test_paths_are_normalised(tmp_path: Path, path: str) -> None:
    assert only_row(tmp_path, path=path).path == "images/a.png"


@pytest.mark.parametrize("name", ["图 1.png", "a?b.png", "#%20.png", "a\nb.png", ".hidden", "..png", "=cmd|.png"])
def test_unusual_file_names_pass(tmp_path: Path, name: str) -> None:
    assert only_row(tmp_path, path=name).path == name


@pytest.mark.parametrize("path", ["/etc/passwd", "../a.png", "images/../../a.png", "..", ".", "a\0.png"])
def test_paths_outside_the_data_folder_are_refused(tmp_path: Path, path: str) -> None:
    assert "leaves the data folder" in problem(tmp_path, json.dumps({"path": path, "is_meteo": 1}))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"path": "a.png", "is_meteo": 1,', "2:33: not valid JSON"),
        ('{"path": "a.png" "is_meteo": 1}', "2:18: not valid JSON: Expecting ',' delimiter"),
        ('["a.png", 1]', "2:1: expected an object {...}, found list"),
        (b'{"path": "\xb7\xe7.png"}', "2:11: not UTF-8; save the file as UTF-8"),
        ('{"path": "a.png", "is_meteo": NaN}', "2: NaN is not a JSON number"),
        ('{"path": "a.png", "is_meteo": -Infinity}', "2: -Infinity is not a JSON number"),
        ('{"path": "a.png", "is_meteo": 1, "x": 1e309}', "2: the number 1e309 is too large"),
        ('{"path": "a.png", "is_meteo": 1, "x": ' + "9" * 5000 + "}", "2: a number is too long"),
        ('{"path": "' + "a" * 10_000_000 + '", "is_meteo": 1}', "2: longer than 1048576 bytes"),
        ('{"path": "a.png", "x": ' + "[" * 1000 + "]" * 1000 + "}", f"2: nested more than {MAX_DEPTH} levels deep"),
        ('{"path": "a.png", "x": ' + "[" * 90_000 + "]" * 90_000 + "}", f"2: nested more than {MAX_DEPTH} levels"),
        ('{"path": "a.png", "path": "b.png", "is_meteo": 1}', "2: the key 'path' stands twice"),
        ('{"path": "\\ud800.png", "is_meteo": 1}', "2: holds half of a surrogate pair"),
        ('{"is_meteo": 1}', "2: path: is required"),
        ('{"path": "", "is_meteo": 1}', "2: path: "),
        ('{"path": 7, "is_meteo": 1}', "2: path: "),
        ('{"path": "a.png"}', "2: is_meteo: is required"),
        ('{"path": "a.png", "is_meteo": "yes"}', "2: is_meteo: expected 0, 1, true or false, found 'yes'"),
        ('{"path": "a.png", "is_meteo": 1.0}', "2: is_meteo: expected 0, 1, true or false, found 1.0"),
        ('{"path": "a.png", "is_meteo": null}', "2: is_meteo: expected 0, 1, true or false, found None"),
        ('{"path": "a.png", "is_meteo": 1, "labels": "wind"}', "2: labels: expected a list of names"),
        ('{"path": "a.png", "is_meteo": 1, "labels": [1]}', "2: labels: expected a list of names"),
        (
            '{"path": "a.png", "is_meteo": 1, "labels": ["wnd"]}',
            "2: labels: unknown element 'wnd'; did you mean 'wind'",
        ),
        ('{"path": "a.png", "is_meteo": 1, "product": "radar_mosiac"}', "did you mean 'radar_mosaic'"),
        ('{"path": "a.png", "is_meteo": 0, "labels": ["wind"]}', "2: is_meteo is 0, yet labels or a product"),
        ('{"path": "a.png", "is_meteo": 0, "product": "radar_mosaic"}', "2: is_meteo is 0, yet labels or a product"),
        ('{"path": "a.png", "is_meteo": 1, "time": 1719792000}', "2: time: expected ISO 8601"),
        ('{"path": "a.png", "is_meteo": 1, "time": "0001-01-01T00:00+14:00"}', "2: time: expected ISO 8601"),
        ('{"path": "a.png", "is_meteo": 1, "source": 3}', "2: source: "),
    ],
)
def test_a_bad_line_is_described_with_its_place(tmp_path: Path, line: str | bytes, message: str) -> None:
    found = problem(tmp_path, line)
    assert message in found
    assert len(found) < 300


def test_all_problems_are_found_in_one_run_in_line_order(tmp_path: Path) -> None:
    bad = '{"path": "../a.png", "is_meteo": 2, "labels": ["wnd", "rayn"], "product": "x"}'
    file = read(tmp_path, "{", bad, '{"path": "a.png", "is_meteo": 1}', "nonsense")
    places = [problem.removeprefix(f"{file.path}:").split(":")[0] for problem in file.problems]
    assert places == ["1", "2", "2", "2", "2", "4"]
    assert "'wnd'" in file.problems[3]
    assert "'rayn'" in file.problems[3]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("last", [[], [b""], [b"", b"  "]])
def test_line_ends_byte_order_mark_and_blank_lines(tmp_path: Path, end: bytes, mark: bytes, last: list[bytes]) -> None:
    lines = [f'{{"path": "{name}", "is_meteo": 1}}'.encode() for name in ("风.png", "b\u2028c.png")]
    file = read(tmp_path, mark + lines[0], b"", lines[1], *last, end=end)
    assert file.problems == []
    assert [(number, row.path) for number, row in file.rows] == [(1, "风.png"), (3, "b\u2028c.png")]


def test_an_array_of_rows_is_one_problem(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"one JSON array; write one object a line"):
        read(tmp_path, "[", '{"path": "a.png", "is_meteo": 1},', '{"path": "b.png", "is_meteo": 0}', "]")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_is_refused_as_such(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes('{"path": "a.png", "is_meteo": 1}'.encode(encoding))
    with pytest.raises(UsageError, match=r"labels.jsonl: looks like UTF-16 .*save it as UTF-8"):
        read_labels(path, VOCABULARY)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"labels\.jsonl: no such file"):
        read_labels(tmp_path / "labels.jsonl", VOCABULARY)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(st.text(), JSON_VALUES, max_size=5), st.booleans())
def test_any_json_object_is_parsed_as_written(document: dict[str, Any], ascii_only: bool) -> None:
    assert parse_object(json.dumps(document, ensure_ascii=ascii_only).encode()) == document


@given(st.binary(max_size=200) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_no_line_ends_in_anything_but_a_row_or_a_problem(line: bytes) -> None:
    try:
        document = parse_object(line)
    except ValueError:
        return
    assert isinstance(document, dict)


@given(
    st.lists(st.sampled_from(VOCABULARY.element_ids), max_size=6) | st.none(),
    st.sampled_from([*VOCABULARY.product_ids, None]),
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)) | st.none(),
)
def test_a_written_row_is_read_back(labels: list[str] | None, product: str | None, time: datetime | None) -> None:
    written = {"path": "a.png", "is_meteo": 1, "labels": labels, "product": product, "source": "office"}
    if time is not None:
        written["time"] = time.isoformat()
    row = LabelRow.model_validate(json.loads(json.dumps(written)), context={"vocabulary": VOCABULARY})
    assert (None if row.labels is None else set(row.labels)) == (None if labels is None else set(labels))
    assert (row.product, row.time) == (product, time and time.replace(microsecond=0))
