"""Counting, picking examples, showing names, and sharing a cluster out."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.archive.cascade.pipeline import Plan
from meteo_ray.archive.results.summary import EXAMPLES_PER_REASON, HISTOGRAM_BINS, Lowest, Totals
from meteo_ray.files import visible
from meteo_ray.stages import PREDICTIONS


def table(rows: list[dict]) -> pa.Table:
    complete = [{**dict.fromkeys(PREDICTIONS.names), "path": str(n), **row} for n, row in enumerate(rows)]
    return pa.Table.from_pylist(complete, schema=PREDICTIONS)


def chart(product: str, score: float) -> dict:
    elements = [{"id": "wind", "score": 0.9}, {"id": "rain", "score": 0.4}]
    judged = {"status": "ok", "is_meteo": True, "gate_score": 0.99, "elements": elements}
    return {**judged, "product": product, "product_score": score}


@given(st.lists(st.floats(-1e6, 1e6)), st.integers(1, 5))
def test_lowest_keeps_the_first_of_the_smallest(keys: list[float], limit: int) -> None:
    kept = Lowest(limit)
    for position, key in enumerate(keys):
        kept.add(key, {"position": position})
    expected = sorted(range(len(keys)), key=lambda position: (keys[position], position))[:limit]
    assert [row["position"] for row in kept.rows()] == expected


def test_totals_over_parts() -> None:
    totals = Totals()
    totals.add(table([chart("a", 0.96), chart("a", 0.2), chart("b", 1.0)]))
    turned_away = {"status": "ok", "is_meteo": False, "gate_score": 0.0}
    totals.add(table([turned_away, {"status": "error", "reason": "empty"}, {"status": "rejected", "reason": "path"}]))
    assert (totals.rows, totals.charts, totals.bad) == (6, 3, 2)
    assert totals.tallies["product"] == {"a": 2, "b": 1}
    assert totals.tallies["elements"] == {"wind": 3, "rain": 3}
    assert totals.reason == {"empty": 1, "path": 1}
    assert totals.histograms["gate_score"].sum() == 4
    assert totals.histograms["gate_score"][0] == 1
    assert totals.histograms["product_score"][[4, HISTOGRAM_BINS - 1]].tolist() == [1, 2]
    assert [row["product_score"] for row in totals.examples["a"].rows()] == pytest.approx([0.96, 0.2])
    assert totals.unsure.rows()[0]["product_score"] == pytest.approx(0.2)


def test_what_was_read_is_counted_and_what_has_a_title() -> None:
    totals = Totals()
    row = {"status": "ok", "is_meteo": False, "gate_score": 0.5}
    totals.add(table([row, {**row, "title": ""}, {**row, "title": "850 hPa"}]))
    totals.add(table([row]))
    assert (totals.read, totals.titled) == (2, 1)


def test_every_reason_has_its_examples_however_rare() -> None:
    totals = Totals()
    totals.add(table([{"status": "error", "reason": "empty"}] * (EXAMPLES_PER_REASON + 50)))
    totals.add(table([{"status": "rejected", "reason": "aspect"}]))
    assert {reason: len(rows) for reason, rows in totals.bad_files.items()} == {
        "empty": EXAMPLES_PER_REASON,
        "aspect": 1,
    }
    assert totals.bad == EXAMPLES_PER_REASON + 51


def test_those_turned_away_are_shown_nearest_to_the_threshold_first() -> None:
    scores = [number / 100 for number in range(40)]
    random.Random(0).shuffle(scores)
    totals = Totals()
    totals.add(table([{"status": "ok", "is_meteo": False, "gate_score": score} for score in scores]))
    shown = np.array([row["gate_score"] for row in totals.turned_away.rows()])
    assert shown == pytest.approx([0.39, 0.38, 0.37, 0.36, 0.35, 0.34])


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("图 1.png", "图 1.png"),
        ("a\nb", "a\\u000ab"),
        ("x\u202egnp.exe", "x\\u202egnp.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        (None, ""),
    ],
)
def test_visible_writes_out_what_deceives(name: str | None, shown: str) -> None:
    assert visible(name) == shown


@pytest.mark.parametrize(
    ("cpus", "gpus", "nodes"), [(2, 0, 1), (4, 0, 1), (20, 1, 1), (16, 2, 1), (40, 0, 3), (1, 0, 1)]
)
@pytest.mark.parametrize("text", [False, True])
def test_the_whole_graph_fits_the_cluster(cpus: int, gpus: int, nodes: int, text: bool) -> None:
    plan = Plan.of_cluster(cpus, gpus, nodes, text=text)
    actors = 2 * plan.judges  # one for gate and elements, one for products
    assert plan.readers * (plan.reader_cpus + plan.text_cpus) + actors * 0.25 <= cpus
    assert bool(plan.text_cpus) == text
    assert actors * plan.judge_gpus == gpus
    assert plan.threads * plan.judges <= max(cpus, plan.judges)
    if cpus >= 10:
        assert 0.6 <= plan.readers / cpus <= 0.8  # R7
