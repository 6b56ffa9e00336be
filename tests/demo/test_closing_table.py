"""What the walks print, and how answers are held against what was drawn."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meteo_ray.demo import short_walk, walkthrough
from meteo_ray.demo.agreement import agreement
from meteo_ray.demo.archive_table import TRUTH
from meteo_ray.demo.config import RunDemoJob
from meteo_ray.files import write_json
from meteo_ray.stages import PREDICTIONS

# What was drawn, and what was answered: (path, is_meteo, elements, product).
DRAWN = [
    ("图 1.png", 1, ["wind", "pressure"], "a"),
    ("deep/er/2.png", 1, ["wind"], "b"),
    ("turned away.png", 1, ["pressure"], "a"),
    ("unknown.png", 1, None, None),
    ("photo.jpg", 0, [], None),
]
ANSWERED = [
    ("图 1.png", True, ["pressure", "wind"], "a"),
    ("deep/er/2.png", True, ["wind", "radar"], "a"),
    ("turned away.png", False, None, None),
    ("unknown.png", True, ["radar"], "a"),
    ("photo.jpg", False, None, None),
    ("broken/empty.png", None, None, None),
]


@pytest.fixture
def walked(tmp_path: Path) -> Path:
    """A folder as a walk leaves it, as far as the table reads it."""
    predictions = tmp_path / "out" / "predictions"
    predictions.mkdir(parents=True)
    rows = [
        {"path": path, "is_meteo": chart, "elements": _scored(elements), "product": product}
        for path, chart, elements, product in ANSWERED
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=PREDICTIONS), predictions / "part-00000.parquet")
    truth = [
        {"path": path, "is_meteo": chart, "labels": elements, "product": product}
        for path, chart, elements, product in DRAWN
    ]
    (tmp_path / TRUTH).write_text("".join(json.dumps(row) + "\n" for row in truth), "utf-8")
    write_json(tmp_path / "out" / "summary.json", {"rows": 6, "status": {"ok": 5, "rejected": 0, "error": 1}})
    scores = {"gate": {"auc": 0.75, "f1": 0.5}, "products": {"top1": 0.25}, "cascade": {"product_accuracy": 0.125}}
    write_json(tmp_path / "metrics.json", scores)
    return tmp_path


def _scored(elements: list[str] | None) -> list[dict[str, object]] | None:
    return None if elements is None else [{"id": name, "score": 0.9} for name in elements]


def test_answers_are_held_against_what_was_drawn(walked: Path) -> None:
    found = agreement(walked / "out" / "predictions", walked / TRUTH)
    assert found.images == 5
    assert found.told_apart == pytest.approx(4 / 5)
    assert found.products == pytest.approx(1 / 3)
    assert found.element_f1 == pytest.approx(2 * 3 / (4 + 4))  # three hits, four called, four shown


def test_without_known_elements_and_products_there_is_nothing_to_hold_them_against(walked: Path) -> None:
    other = {"path": "photo.jpg", "is_meteo": 0, "labels": [], "product": None}
    (walked / "few.jsonl").write_text(json.dumps(other), "utf-8")
    found = agreement(walked / "out" / "predictions", walked / "few.jsonl")
    assert (found.told_apart, found.element_f1, found.products) == (1.0, None, None)


def test_an_image_that_could_not_be_judged_is_not_told_apart(walked: Path) -> None:
    unjudged = ("broken/empty.png", "absent.png")
    others = [{"path": path, "is_meteo": 0, "labels": [], "product": None} for path in unjudged]
    (walked / "few.jsonl").write_text("".join(json.dumps(row) + "\n" for row in others), "utf-8")
    assert agreement(walked / "out" / "predictions", walked / "few.jsonl").told_apart == 0.0


@pytest.mark.parametrize(("come_along", "whose"), [(True, "the package's models"), (False, "the models trained here")])
def test_the_table_tells_of_the_archive_and_of_the_small_trainings(
    walked: Path, come_along: bool, whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_walk, "STARTER", walked if come_along else walked / "absent")
    text = walkthrough.summary(RunDemoJob(out=walked), {"a": 60.0, "b": 120.0})
    told = text.split("\n")
    assert f"archive: 6 files (5 ok, 0 rejected, 1 error), answered by {whose}" in told
    assert ["gate", "charts", "and", "others", "told", "apart", "0.800"] in [line.split() for line in told]
    assert ["cascade", "charts", "with", "the", "right", "product", "0.125"] in [line.split() for line in told]
    assert "mAP" not in text  # not measured
    assert "5 drawn images" in text
    assert "make demo-full trains" in text
    assert "all steps: 3.0 minutes" in told
    assert told[-1] == f"report: {walked / 'out' / 'report.html'}"


def test_the_full_walks_table_is_that_of_the_test_split(walked: Path) -> None:
    told = walkthrough.summary(RunDemoJob(out=walked, full=True), {"a": 90.0}).split("\n")
    assert told[1].endswith("test split")
    assert ["gate", "AUC", "0.750"] in [line.split() for line in told]
    assert "archive: 6 files (5 ok, 0 rejected, 1 error)" in told
    assert "all steps: 1.5 minutes" in told
