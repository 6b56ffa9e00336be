"""What the element stage's evaluation says of answers written by hand."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import f1_score

from meteo_ray.elements.answers import Answers, multi_hot
from meteo_ray.elements.baselines import blind, by_keywords
from meteo_ray.elements.class_table import class_table
from meteo_ray.elements.evaluation import elements_metrics, thresholds_in_force
from meteo_ray.elements.mistakes import worst_charts
from meteo_ray.elements.predictor import ElementsPredictor
from meteo_ray.judging.judge import Judged
from meteo_ray.metrics.calibration_error import expected_calibration_error
from meteo_ray.vocabulary import Element, Vocabulary
from meteo_ray.voters.text_voter import Page

NAMES = ("wind", "rain", "snow", "hail")
SHOWN = [["wind"], ["wind", "rain"], ["snow"], []]
# Right; rain missed by a little; snow missed surely and wind named for it; rain named surely.
SCORES = np.array(
    [[0.9, 0.1, 0.1, 0.1], [0.8, 0.4, 0.1, 0.1], [0.6, 0.1, 0.01, 0.1], [0.1, 0.99, 0.1, 0.7]], dtype=np.float32
)


@pytest.fixture
def judged() -> Judged:
    rows = pa.table(
        {
            "image_id": [f"{row:016x}" for row in range(4)],
            "path": [f"{row}.png" for row in range(4)],
            "elements": pa.array(SHOWN, pa.list_(pa.string())),
            "source": pa.array([None] * 4, pa.string()),
            "extra": ["{}"] * 4,
        }
    )
    sequence = np.empty(4, dtype=object)
    sequence[:] = SHOWN
    columns = {"element_scores": SCORES, "element_thresholds": np.full(SCORES.shape, 0.5), "element_sequence": sequence}
    return Judged(rows, columns, 2.0, 0)


@pytest.fixture
def answers(judged) -> Answers:
    return Answers.of(judged, NAMES)


def test_elements_that_the_model_does_not_know_are_left_out():
    assert multi_hot([["rain", "fog"], [{"id": "wind", "score": 0.3}]], ["wind", "rain"]).tolist() == [
        [False, True],
        [True, False],
    ]
    assert multi_hot([], ["wind", "rain"]).shape == (0, 2)


def test_metrics_have_intervals_of_the_means_and_of_every_element(answers, judged):
    found = elements_metrics(answers, judged, rounds=40, seed=0)
    for name in ("map", "micro_f1", "macro_f1"):
        low, high = found["interval"][name]
        assert 0 <= low <= found[name] <= high <= 1
    assert found["ap_interval"]["hail"] is None
    assert found["ap_interval"]["wind"][0] <= found["ap"]["wind"] <= found["ap_interval"]["wind"][1]
    assert found["micro_f1"] == pytest.approx(2 * 2 / (4 + 5))
    assert found["sequence_micro_f1"] == 1.0
    assert found["error_pairs"]["confused"] == [{"missed": "snow", "named": "wind", "rows": 1, "missed_rows": 1}]
    none = elements_metrics(answers, judged, rounds=0, seed=0)
    assert none["interval"] == {"map": None, "micro_f1": None, "macro_f1": None}
    assert set(none["ap_interval"].values()) == {None}


def test_calibration_is_measured_over_all_cells_and_for_each_element(answers, judged):
    found = elements_metrics(answers, judged, rounds=0, seed=0)
    assert found["element_ece"]["hail"] == pytest.approx((3 * 0.1 + 0.7) / 4)
    assert found["element_ece"]["wind"] == pytest.approx((0.1 + 0.2 + 0.6 + 0.1) / 4)
    every_cell = expected_calibration_error(answers.targets.ravel(), answers.scores.ravel())
    assert found["ece"] == pytest.approx(every_cell)


def test_the_class_table_has_a_line_for_every_element_and_the_absent_ones_last(answers, judged):
    found = elements_metrics(answers, judged, rounds=40, seed=0)
    thresholds = {"threshold": dict.fromkeys(NAMES, 0.5), "threshold_with_text": dict.fromkeys(NAMES, 0.25)}
    table = class_table(found | thresholds)
    assert [(line["element"], line["support"], line["called"]) for line in table] == [
        ("wind", 2, 3),
        ("rain", 1, 1),
        ("snow", 1, 0),
        ("hail", 0, 1),
    ]
    assert (table[0]["precision"], table[0]["recall"]) == (pytest.approx(2 / 3), 1.0)
    assert (table[0]["ap_low"], table[0]["ap_high"]) == found["ap_interval"]["wind"]
    assert (table[0]["threshold"], table[0]["threshold_with_text"]) == (0.5, 0.25)
    assert (table[-1]["ap"], table[-1]["ap_low"], table[-1]["f1"]) == (None, None, None)
    silent = class_table(found | thresholds | {"threshold_with_text": None})
    assert "threshold_with_text" not in silent[0]


def test_the_worst_charts_come_first_and_say_what_is_wrong(answers):
    missed, named = worst_charts(answers)
    assert missed.rows.tolist() == [2, 1]
    assert missed.scores == pytest.approx([-np.log(0.01), -np.log(0.4)], rel=1e-4)
    assert missed.details == ["missed snow\nnamed wind", "missed rain"]
    assert named.rows.tolist() == [3, 2]
    assert named.scores[0] == pytest.approx(-np.log(0.01) - np.log(0.3), rel=1e-4)
    assert named.details == ["named rain, hail", "missed snow\nnamed wind"]


def test_nothing_wrong_is_no_mistake(judged):
    right = np.where(multi_hot(SHOWN, NAMES), np.float32(0.9), np.float32(0.1))
    judged.columns["element_scores"] = right
    assert [len(kind.rows) for kind in worst_charts(Answers.of(judged, NAMES))] == [0, 0]


def test_the_thresholds_in_force_are_scaled(trained):
    predictor = ElementsPredictor.load(trained.bundle, "cpu", precision="fp32", threshold_scale=0.5)
    found = thresholds_in_force(predictor.verdict)
    image = predictor.verdict.image.thresholds
    assert list(found["threshold"].values()) == pytest.approx(0.5 * image)
    assert found["threshold_with_text"] is None
    answered = predictor({"image": trained.prepared["image"][:1]})["element_thresholds"][0]
    assert list(found["threshold"].values()) == answered.tolist()


def test_the_blind_answer_ranks_by_chance_and_names_the_commonest(answers):
    found = blind(answers, np.array([0.5, 0.3, 0.2, 0.0]))
    assert found["rows"] == 4
    assert found["map"] == pytest.approx(np.mean([2 / 4, 1 / 4, 1 / 4]))  # the mean share of what occurs
    assert found["micro_f1"] == pytest.approx(2 * 3 / (8 + 4))  # wind and rain everywhere
    assert blind(answers, np.zeros(4))["micro_f1"] == 0.0


def test_the_blind_answer_names_what_gives_the_best_f1_where_it_was_counted():
    rng = np.random.default_rng(0)
    targets = rng.random((400, 6)) < np.array([0.5, 0.3, 0.2, 0.1, 0.05, 0.01])
    shares = targets.mean(axis=0)
    answers = Answers(list("abcdef"), targets, np.zeros((400, 6), np.float32), np.ones((400, 6)))
    best = max(f1_score(targets.ravel(), np.tile(shares >= cut, (400, 1)).ravel()) for cut in shares)
    assert blind(answers, shares)["micro_f1"] == pytest.approx(best)


def test_keywords_are_asked_where_text_was_read(answers):
    elements = tuple(Element(id=name, zh=zh, en=name) for name, zh in zip(NAMES, "风雨雪雹", strict=True))
    vocabulary = Vocabulary((*elements, Element(id="fog", zh="雾", en="fog")), ())
    pages = [Page("wind", "wind"), None, Page("", "snow and fog"), Page("", "")]
    found = by_keywords(answers, pages, vocabulary)
    assert found == {"rows": 3, "map": 1.0, "micro_f1": 1.0, "macro_f1": 1.0}
    assert by_keywords(answers, [None] * 4, vocabulary) is None
