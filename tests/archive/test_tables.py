"""The predictions as CSV and JSONL: every row once, harmless in a spreadsheet, exact in JSON."""

import csv
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meteo_ray.archive.cascade.judged_rows import JUDGED
from meteo_ray.archive.ids import IdSet
from meteo_ray.archive.results.tables import write_csv, write_jsonl
from meteo_ray.archive.results.writer import PartWriter, read_parts
from meteo_ray.errors import UsageError
from meteo_ray.files import image_id
from meteo_ray.schema import SCORED_ID
from meteo_ray.stages import PREDICTIONS

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠", "﹦", "﹢", "﹣", "﹫", "−")
NASTY = [
    "a\nb.png",
    "a\r\nb.png",
    'he said "no", twice.png',
    "<script>alert(1)</script>.png",
    "gpj.\u202egnp.png",  # right-to-left override
    b"\xff\xfe.png".decode(errors="backslashreplace"),
    "🌀🌧️.png",
    "台风 路径.png",
    "a\0b.png",
    "line\u2028and\u2029next\x85.png",
    "\ufeffmark.png",
    " , ;'\\.png",
]


def chart(path: str, **columns: Any) -> dict[str, Any]:
    listed = dict.fromkeys(JUDGED.names) | {"status": "ok", "schema_version": 1, "is_meteo": True, "path": path}
    return listed | {"image_id": image_id(path)} | columns


def commit(folder: Path, rows: list[dict[str, Any]], part_rows: int = 4) -> Path:
    """The rows as parts of `part_rows`."""
    writer = PartWriter(folder / "predictions", rows=part_rows, seconds=1e9, written=IdSet())
    for start in range(0, len(rows), part_rows):
        writer.add(pa.Table.from_pylist(rows[start : start + part_rows], schema=JUDGED))
    writer.commit()
    return writer.folder


def csv_of(predictions: Path) -> list[dict[str, str]]:
    target = predictions.with_name("predictions.csv")
    write_csv(predictions, target)
    return list(csv.DictReader(io.StringIO(target.read_bytes().decode("utf-8-sig"), newline="")))


def jsonl_of(predictions: Path) -> list[dict[str, Any]]:
    target = predictions.with_name("predictions.jsonl")
    write_jsonl(predictions, target)
    return [json.loads(line) for line in target.read_text("utf-8").splitlines()]


def rows_of(predictions: Path) -> list[dict[str, Any]]:
    return [row for table, _ in read_parts(predictions) for row in table.to_pylist()]


def test_cells_are_short_and_as_a_spreadsheet_wants_them(tmp_path: Path) -> None:
    elements = [{"id": "wind", "score": 0.93}, {"id": "pressure", "score": 0.41}]
    judged = {"elements": elements, "element_sequence": ["pressure", "wind"], "gate_score": 0.1, "product": "a,b"}
    predictions = commit(tmp_path, [chart("a.png", **judged, width=640), chart("b.png", is_meteo=False, elements=[])])
    first, second = csv_of(predictions)
    assert list(first) == PREDICTIONS.names
    assert first["elements"] == "wind:0.93 pressure:0.41"
    assert first["element_sequence"] == "pressure wind"
    assert (first["gate_score"], first["width"], first["product"]) == ("0.1", "640", "a,b")
    assert (first["is_meteo"], second["is_meteo"]) == ("true", "false")
    assert (second["elements"], second["product"], second["gate_score"]) == ("", "", "")
    assert (tmp_path / "predictions.csv").read_bytes().startswith(b"\xef\xbb\xbfimage_id,")


def test_columns_are_those_of_the_parts(tmp_path: Path) -> None:
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    scores = pa.array([[{"id": "=x", "score": 0.5}, {"id": None, "score": None}]], type=pa.list_(SCORED_ID))
    columns = {"zeta": [-3], "alpha": pa.array([-0.25], pa.float64()), "scores": scores}
    pq.write_table(pa.table(columns), predictions / "part-00000.parquet")
    assert csv_of(predictions) == [{"zeta": "-3", "alpha": "-0.25", "scores": "'=x:0.5 :"}]
    assert list(jsonl_of(predictions)[0]) == ["zeta", "alpha", "scores"]


@pytest.mark.parametrize("start", FORMULA_STARTS)
def test_no_cell_is_a_formula(tmp_path: Path, start: str) -> None:
    evil = f"{start}cmd|' /C calc'!A0"
    judged = {"product": evil, "elements": [{"id": evil, "score": 0.5}], "element_sequence": [evil], "reason": evil}
    (row,) = csv_of(commit(tmp_path, [chart(evil, **judged)]))
    for column in ("path", "reason", "product", "elements", "element_sequence"):
        assert row[column].startswith("'")
        assert row[column].isprintable()
    (exact,) = jsonl_of(tmp_path / "predictions")
    assert exact["path"] == exact["reason"] == exact["product"] == exact["elements"][0]["id"] == evil


@pytest.mark.parametrize("blank", [" ", "\u3000", "\u00a0"])
def test_blanks_hide_no_formula(tmp_path: Path, blank: str) -> None:
    (row,) = csv_of(commit(tmp_path, [chart(f"{blank}=1+1")]))
    assert row["path"].startswith("'")


def test_a_spreadsheet_that_splits_at_semicolons_finds_no_formula(tmp_path: Path) -> None:
    rows = csv_of(commit(tmp_path, [chart("a;=1+1;b.png"), chart("a; @SUM(A1)"), chart("a;b=c-d.png")]))
    assert [row["path"] for row in rows] == ["a;'=1+1;b.png", "a;' @SUM(A1)", "a;b=c-d.png"]


def test_nasty_names_break_no_row(tmp_path: Path) -> None:
    predictions = commit(tmp_path, [chart(name) for name in NASTY])
    rows = csv_of(predictions)
    assert len(rows) == len(NASTY)
    assert [row["image_id"] for row in rows] == [image_id(name) for name in NASTY]
    assert len((tmp_path / "predictions.csv").read_bytes().decode().splitlines()) == len(NASTY) + 1
    assert all(row["path"].isprintable() for row in rows)
    assert [row["path"] for row in jsonl_of(predictions)] == NASTY


def test_pandas_reads_as_many_rows(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    csv_of(commit(tmp_path, [chart(name, gate_score=0.25) for name in NASTY]))
    frame = pandas.read_csv(tmp_path / "predictions.csv", keep_default_na=False)
    assert list(frame.columns) == PREDICTIONS.names
    assert len(frame) == len(NASTY)
    assert set(frame["gate_score"]) == {0.25}


def test_jsonl_holds_the_rows_as_they_are(tmp_path: Path) -> None:
    elements = [{"id": "wind", "score": 0.93}]
    rows = [chart(f"{number}.png", elements=elements, gate_score=0.1 * number) for number in range(9)]
    predictions = commit(tmp_path, rows)
    assert jsonl_of(predictions) == rows_of(predictions)
    assert [row["path"] for row in jsonl_of(predictions)] == [f"{number}.png" for number in range(9)]


def test_what_is_no_number_is_null(tmp_path: Path) -> None:
    top = [{"id": "a", "score": float("inf")}, {"id": "b", "score": 0.5}]
    predictions = commit(tmp_path, [chart("a.png", gate_score=float("nan"), product_top=top)])
    (row,) = jsonl_of(predictions)
    assert (row["gate_score"], row["product_top"][0]["score"], row["product_top"][1]["score"]) == (None, None, 0.5)
    (cells,) = csv_of(predictions)
    assert (cells["gate_score"], cells["product_top"]) == ("", "a: b:0.5")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=6, unique=True))
@settings(max_examples=150, deadline=None)
def test_any_text_is_exact_in_json_and_harmless_in_a_spreadsheet(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = [chart(text, product=text, element_sequence=[text]) for text in texts]
        predictions = commit(Path(folder), rows, part_rows=2)
        assert [row["path"] for row in jsonl_of(predictions)] == texts
        cells = csv_of(predictions)
        assert len(cells) == len(texts)
        for row in cells:
            for column in ("path", "product", "element_sequence"):
                assert not row[column].lstrip().startswith(FORMULA_STARTS)
                assert len(row[column].splitlines()) <= 1
                assert "\0" not in row[column]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@settings(max_examples=100, deadline=None)
def test_numbers_are_read_back_as_they_were(score: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        predictions = commit(Path(folder), [chart("a.png", gate_score=score)])
        assert np.float32(csv_of(predictions)[0]["gate_score"]) == np.float32(score)
        assert jsonl_of(predictions)[0]["gate_score"] == score


@pytest.mark.parametrize("write", [write_csv, write_jsonl])
def test_a_failure_leaves_what_stood_there(tmp_path: Path, write: Any) -> None:
    predictions = commit(tmp_path, [chart(f"{number}.png") for number in range(8)])
    target = tmp_path / "table"
    target.write_text("before")
    (predictions / "part-00001.parquet").write_bytes(b"PAR1 half of a fi")
    with pytest.raises(UsageError, match="damaged"):
        write(predictions, target)
    assert target.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["predictions", "table"]


@pytest.mark.parametrize("write", [write_csv, write_jsonl])
def test_a_second_call_replaces_the_file(tmp_path: Path, write: Any) -> None:
    predictions = commit(tmp_path, [chart("a.png")])
    target = tmp_path / "table"
    target.write_text("before")
    (tmp_path / ".table.tmp").write_text("of a call that was killed")
    write(predictions, target)
    written = target.read_bytes()
    write(predictions, target)
    assert target.read_bytes() == written != b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["predictions", "table"]
