"""Metrics of parts of a split, on judgements written by hand."""

import json

import numpy as np
import pyarrow as pa
import pytest

from meteo_ray.elements.evaluation import elements_slices
from meteo_ray.gate.evaluation import gate_slices
from meteo_ray.judging.judge import Judged
from meteo_ray.metrics.slices import by_record

ROWS = pa.table(
    {
        "is_meteo": [True, True, True, True, False, False],
        "source": [*"xxyyxx"],
        "extra": [json.dumps({"kind": kind} if kind else {}) for kind in (None, None, None, None, "ui", "photo")],
    }
)
SCORES = np.array([0.9, 0.2, 0.8, 0.7, 0.6, 0.1])
HALVES = np.full(6, 0.5)
APPLIED = [{"title": {}}, {"title": {}, "logo": {}}, {"title": {}}, {}, {"title": {}}, {"title": {}, "logo": {}}]
AUGMENTED = np.array([json.dumps(record) for record in APPLIED], dtype=object)


def test_slices_of_the_gate_by_origin():
    found = gate_slices(Judged(ROWS, {"gate_score": SCORES}, 0.0, 0), HALVES)
    assert found["source"]["x"] == {
        "rows": 4,
        "positives": 2,
        "accuracy": 0.5,
        "recall": 0.5,
        "false_alarm_rate": 0.5,
        "auc": 0.75,
    }
    assert found["source"]["y"]["false_alarm_rate"] is None
    assert found["source"]["y"]["auc"] is None
    assert found["kind"]["ui"]["false_alarm_rate"] == 1.0
    assert found["kind"]["photo"]["false_alarm_rate"] == 0.0
    assert found["language"] == found["augmentation"] == {}


def test_slices_of_the_gate_by_augmentation():
    judged = Judged(ROWS, {"gate_score": SCORES, "augmented": AUGMENTED}, 0.0, 0)
    found = gate_slices(judged, np.full(judged.rows.num_rows, 0.5))["augmentation"]
    assert {name: part["rows"] for name, part in found.items()} == {
        "logo applied": 2,
        "logo not applied": 4,
        "title applied": 5,
        "title not applied": 1,
    }
    assert (found["logo applied"]["accuracy"], found["logo applied"]["auc"]) == (0.5, 1.0)
    assert (found["logo not applied"]["accuracy"], found["logo not applied"]["auc"]) == (0.75, 1.0)
    assert (found["title not applied"]["accuracy"], found["title not applied"]["auc"]) == (1.0, None)


def test_a_part_done_to_every_row_has_no_other_side():
    augmented = np.full(6, json.dumps({"noise": {"level": 2.0}}), dtype=object)
    found = gate_slices(Judged(ROWS, {"gate_score": SCORES, "augmented": augmented}, 0.0, 0), HALVES)["augmentation"]
    assert list(found) == ["noise applied"]


def test_rows_by_what_was_recorded_of_a_part():
    records = [{"title": {"whose": "own"}}, {}, {"title": {"whose": "other"}, "noise": {}}, {"noise": {}}]
    found = by_record([json.dumps(record) for record in records], "title", "whose")
    assert {value: rows.tolist() for value, rows in found.items()} == {
        "none": [False, True, False, True],
        "other": [False, False, True, False],
        "own": [True, False, False, False],
    }
    assert by_record([], "title", "whose") == {}


def test_slices_of_the_elements():
    targets = np.array([[1, 0], [1, 1], [0, 1], [1, 0], [0, 0], [0, 1]], dtype=bool)
    scores = np.where(targets, 0.9, 0.1)
    scores[1] = (0.1, 0.9)  # misses the first of two: precision 1, recall 2/3 among the two rows with a logo
    judged = Judged(ROWS, {"augmented": AUGMENTED}, 0.0, 0)
    found = elements_slices(judged, targets, scores, np.full(scores.shape, 0.5), ["wind", "rain"])
    assert found["augmentation"]["logo not applied"] == {"rows": 4, "micro_f1": 1.0, "map": 1.0}
    assert found["augmentation"]["logo applied"]["micro_f1"] == pytest.approx(0.8)
    assert found["source"]["y"]["micro_f1"] == 1.0
    assert found["kind"]["ui"] == {"rows": 1, "micro_f1": None, "map": None}
