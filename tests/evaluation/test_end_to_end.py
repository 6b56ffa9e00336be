"""The cascade's and the stages' numbers on judgements written by hand."""

import json

import numpy as np
import pyarrow as pa
import pytest

from meteo_ray.evaluation.end_to_end import cascade_metrics
from meteo_ray.judging.judge import Judged
from meteo_ray.products.calibration import NONE_OF_THESE
from meteo_ray.products.evaluation import agreement, products_metrics
from meteo_ray.products.title_slices import misled, title_slices
from meteo_ray.stages import CASCADE
from meteo_ray.vocabulary import Element, Product, Vocabulary

VOCABULARY = Vocabulary(
    tuple(Element(id=name, zh=name, en=f"{name} en") for name in ("wind", "rain", "snow")),
    (
        Product(id="wind map", zh="wind map", elements=("wind",)),
        Product(id="gust map", zh="gust map", elements=("wind",)),
        Product(id="storm map", zh="storm map", elements=("wind", "rain")),
        Product(id="snow map", zh="snow map", elements=("snow",)),
    ),
)

EVALUATIONS = {name: judging.evaluation() for name, judging in CASCADE.items()}

# image_id, is_meteo, elements, product
ROWS = [
    ("a", True, ["wind"], "wind map"),
    ("b", True, ["wind", "rain"], "storm map"),
    ("c", True, ["snow"], "snow map"),
    ("d", True, None, None),
    ("e", False, None, None),
    ("f", False, None, None),
]


def table(rows) -> pa.Table:
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[], [], [], []]
    types = (pa.string(), pa.bool_(), pa.list_(pa.string()), pa.string())
    names = ("image_id", "is_meteo", "elements", "product")
    return pa.table({name: pa.array(column, kind) for name, column, kind in zip(names, columns, types, strict=True)})


def objects(values) -> np.ndarray:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def scored(*names: str) -> list[dict]:
    return [{"id": name, "score": 0.9} for name in names]


def judgements(
    passes: list[bool], detected: dict[str, list[str]], answers: dict[str, str], learnt: int = 3
) -> dict[str, Judged]:
    """`learnt` is how many of the vocabulary's elements the model knows."""
    passed = [row for row, through in zip(ROWS, passes, strict=True) if through]
    gated = Judged(table(ROWS), {"is_meteo": np.array(passes)}, seconds=6.0, unreadable=1)
    elements = objects([scored(*detected[row[0]]) for row in passed])
    tagged = Judged(
        table(passed),
        {"elements": elements, "element_scores": np.zeros((len(passed), learnt))} if passed else {},
        seconds=2.0,
        unreadable=0,
    )
    asked = [(row[0], row[1], detected[row[0]], row[3]) for row in passed]
    products = objects([answers[row[0]] for row in passed])
    named = Judged(table(asked), {"product": products} if passed else {}, seconds=8.0, unreadable=0)
    return {"gate": gated, "elements": tagged, "products": named}


def test_a_chart_that_is_turned_away_has_the_wrong_product():
    judged = judgements(
        [True, True, False, True, True, False],
        {"a": ["wind"], "b": ["wind"], "d": ["snow"], "e": ["rain"]},
        {"a": "wind map", "b": "gust map", "d": "snow map", "e": "storm map"},
    )
    found = cascade_metrics(judged, EVALUATIONS, VOCABULARY)
    assert found["product_accuracy"] == pytest.approx(1 / 3)  # a is right, b is wrong, c never came through
    assert found["product_accuracy_passed"] == pytest.approx(1 / 2)
    assert found["gate_accuracy"] == pytest.approx(4 / 6)
    assert found["gate_f1"] == pytest.approx(2 * 3 / (4 + 4))
    assert found["element_micro_f1"] == pytest.approx(2 * 2 / (2 + 3))  # a: wind; b: wind of wind and rain
    assert found["agreement"] == pytest.approx((1 + 1 + 1 + 1 / 2) / 4)  # e: rain of wind and rain
    counts = ("images", "charts", "passed", "false_alarms", "with_product", "unreadable")
    assert [found[name] for name in counts] == [6, 4, 4, 1, 3, 1]
    assert found["seconds_per_image"] == {"gate": 1.0, "elements": 0.5, "products": 2.0, "total": pytest.approx(16 / 6)}


def test_elements_that_came_up_after_the_training_do_not_count():
    detected = {"a": ["wind"], "b": ["wind"], "c": [], "d": []}
    judged = judgements([True] * 4 + [False] * 2, detected, dict.fromkeys("abcd", "wind map"), learnt=1)
    assert cascade_metrics(judged, EVALUATIONS, VOCABULARY)["element_micro_f1"] == 1.0
    judged = judgements([True] * 4 + [False] * 2, detected, dict.fromkeys("abcd", "wind map"))
    assert cascade_metrics(judged, EVALUATIONS, VOCABULARY)["element_micro_f1"] == pytest.approx(2 * 2 / (2 + 4))


def test_a_gate_that_lets_nothing_through():
    found = cascade_metrics(judgements([False] * 6, {}, {}), EVALUATIONS, VOCABULARY)
    assert (found["product_accuracy"], found["passed"], found["gate_f1"]) == (0.0, 0, 0.0)
    assert found["product_accuracy_passed"] is None
    assert found["element_micro_f1"] is None
    assert found["agreement"] is None
    assert found["seconds_per_image"]["products"] is None


def test_products_chance_and_confusion_within_equal_elements():
    rows = ROWS[:3]
    answers = ["gust map", "storm map", "wind map"]
    tops = [scored("gust map", "wind map"), scored("storm map"), scored("wind map", "snow map")]
    candidates = [["wind map", "gust map", "storm map"], ["gust map", "storm map", "wind map"], ["wind map"]]
    columns = {"product": objects(answers), "product_score": np.full(3, 0.5), "product_top": objects(tops)}
    columns["product_candidates"] = objects(candidates)
    columns["product_tokens"] = np.array([400, 0, 500])
    found = products_metrics(Judged(table(rows), columns, 3.0, 0), VOCABULARY, rounds=0, seed=0)
    assert (found["top1"], found["top3"]) == (pytest.approx(1 / 3), 1.0)
    # One of three, one of three, and the snow map was not asked about.
    assert found["chance"] == pytest.approx((1 / 3 + 1 / 3 + 0) / 3)
    assert found["candidate_recall"] == pytest.approx(2 / 3)
    assert found["equal_elements"] == {"rows": 1, "top1": 0.0, "confused_within": 1.0}
    assert found["confusions"] == [
        {"product": "wind map", "answered": "gust map", "rows": 1},
        {"product": "snow map", "answered": "wind map", "rows": 1},
    ]
    assert found["agreement"] == pytest.approx(2 / 3)
    assert (found["seconds_per_image"], found["tokens_per_second"]) == (1.0, 300.0)


def test_none_of_these_is_a_wrong_answer_that_agrees_with_nothing():
    columns = {
        "product": objects([None, "storm map", None]),
        "product_score": np.full(3, 0.5),
        "product_top": objects([scored("wind map"), scored("storm map"), scored("snow map")]),
        "product_candidates": objects([["wind map"], ["storm map"], ["snow map"]]),
    }
    found = products_metrics(Judged(table(ROWS[:3]), columns, 3.0, 0), VOCABULARY, rounds=0, seed=0)
    assert (found["top1"], found["top3"]) == (pytest.approx(1 / 3), 1.0)
    assert found["none_of_these"] == pytest.approx(2 / 3)
    assert found["agreement"] == 1.0
    assert found["confusions"][0]["answered"] == NONE_OF_THESE


def under_titles(rows, answers: list[str], whose: list[str | None]) -> Judged:
    """Charts of which each got the answer, and a title of the product named by `whose`, or none."""
    records = [{"title": {"whose": name}} if name else {"noise": {}} for name in whose]
    columns = {
        "product": objects(answers),
        "product_top": objects([scored(answer) for answer in answers]),
        "product_score": np.full(len(answers), 0.75),
        "augmented": objects([json.dumps(record) for record in records]),
    }
    return Judged(table(rows), columns, 1.0, 0)


def test_products_by_the_title_that_was_drawn():
    judged = under_titles(ROWS[:3], ["gust map", "storm map", "wind map"], ["other", None, "other"])
    assert misled(judged)["image_id"].to_pylist() == ["a", "c"]
    told = under_titles([ROWS[0], ROWS[2]], ["wind map", "snow map"], ["own", "own"])
    found = title_slices(judged, told)
    assert {name: (part["rows"], part["top1"]) for name, part in found.items()} == {
        "own": (2, 1.0),
        "other": (2, 0.0),
        "none": (1, 1.0),
    }
    assert (found["own"]["ece"], found["other"]["ece"]) == (pytest.approx(0.25), pytest.approx(0.75))
    assert list(title_slices(judged, None)) == ["other", "none"]
    untitled = under_titles(ROWS[:3], ["gust map", "storm map", "wind map"], [None] * 3)
    assert misled(untitled).num_rows == 0
    assert list(title_slices(untitled, None)) == ["none"]


def test_agreement_without_rows():
    assert agreement([], [], VOCABULARY) is None


def test_an_answer_that_may_show_any_elements_counts_in_no_agreement():
    vocabulary = Vocabulary(
        VOCABULARY.elements, (*VOCABULARY.products, Product(id="section", zh="剖面", elements="any"))
    )
    assert agreement(["section", "storm map"], [["snow"], ["wind"]], vocabulary) == pytest.approx(1 / 2)
    assert agreement(["section"], [["snow"]], vocabulary) is None


def test_products_without_any_row_have_no_figures():
    """Where no chart's elements are labelled, nobody can be told the true ones."""
    found = products_metrics(Judged(table([]), {}, 0.0, 0), VOCABULARY, rounds=10, seed=0)
    assert found["tokens_per_second"] is None
    assert (found["count"], found["top1"], found["candidate_recall"], found["interval"]["top1"]) == (
        0,
        None,
        None,
        None,
    )
