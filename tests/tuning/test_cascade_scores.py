"""Thresholds tried on stored scores: the same figures as if the cascade had been asked."""

import re
import tracemalloc
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pyarrow as pa
import pytest
from optuna.distributions import FloatDistribution

from meteo_ray.calibration.votes import stacked
from meteo_ray.cascade.over_rows import with_text_heard
from meteo_ray.evaluation.config import EvaluateJob
from meteo_ray.judging.judge import Judged
from meteo_ray.judging.settings import CascadeSettings
from meteo_ray.products.verdict import PRIOR, ProductsVerdict, answered
from meteo_ray.stages import CASCADE
from meteo_ray.tuning import cascade_scores, cascade_sweep
from meteo_ray.tuning import study as memory
from meteo_ray.tuning.cascade_scores import CascadeScores
from meteo_ray.tuning.cascade_sweep import choose
from meteo_ray.tuning.config import TuneJob
from meteo_ray.tuning.report import Check, Ending, write_report
from meteo_ray.tuning.space import Space

# Four charts and two others; the gate is unsure of the last chart and of the first other.
SCORES = CascadeScores(
    gate_score=np.array([0.9, 0.8, 0.95, 0.4, 0.45, 0.1], np.float32),
    gate_alone=np.array([0.9, 0.8, 0.95, 0.4, 0.45, 0.1], np.float32),
    gate_passes=np.array([1, 1, 1, 0, 0, 0], bool),
    is_meteo=np.array([1, 1, 1, 1, 0, 0], bool),
    judged=np.array([0, 1, 2, 3, 4]),
    element_scores=np.array([[0.9, 0.1], [0.6, 0.2], [0.1, 0.8], [0.7, 0.1], [0.2, 0.2]], np.float32),
    element_thresholds=np.full((5, 2), 0.5),
    tagged=np.array([1, 1, 1, 1, 0, 0], bool),
    shown=np.array([[1, 0], [1, 0], [0, 1], [1, 0], [0, 0], [0, 0]], bool),
    product=np.array([0, 1, 1, 0, -1, -1]),
    listed=np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], np.float32),
    log_likelihood=np.array([[-1, -9], [-9, -1], [-9, -1], [-1, -9], [-5, -5]], np.float32),
    candidates=np.full(5, 2),
    verdict=np.array([1.0, 1.0, 0.0]),
    seconds=np.array([0.1, 0.2, 1.0]),
)


def test_calibrated_settings_give_what_the_cascade_gave() -> None:
    found = SCORES.measures(CascadeSettings())
    assert found["right"] == pytest.approx((2 + 3) / 6)  # both others turned away; the unsure chart is lost
    assert found["element_f1"] == pytest.approx(2 * 3 / (3 + 4))
    assert found["quality"] == pytest.approx((found["right"] + found["element_f1"]) / 2)


def test_a_lower_gate_finds_the_lost_chart_and_lets_an_other_in() -> None:
    assert SCORES.measures(CascadeSettings(gate_threshold=0.42))["right"] == pytest.approx((1 + 3) / 6)
    assert SCORES.measures(CascadeSettings(gate_threshold=0.3))["right"] == pytest.approx((1 + 4) / 6)


def test_without_its_language_model_the_shortlist_answers() -> None:
    alone = SCORES.measures(CascadeSettings(products_blend=0.0))["right"]
    assert alone == pytest.approx((2 + 2) / 6)
    assert SCORES.measures(CascadeSettings(products_below=0.5))["right"] == alone
    assert SCORES.measures(CascadeSettings(products_below=0.7))["right"] == pytest.approx((2 + 3) / 6)


def test_asking_less_is_faster() -> None:
    speeds = [SCORES.measures(CascadeSettings(products_below=below))["images_per_second"] for below in (None, 0.7, 0.1)]
    # six images at the gate, three charts further on, asked about three, one and none of them
    assert speeds == pytest.approx([6 / (0.6 + 0.6 + asked) for asked in (3, 1, 0)], rel=1e-6)
    alone = SCORES.measures(CascadeSettings(products_blend=0.0))["images_per_second"]
    assert alone == pytest.approx(speeds[-1])


def test_no_product_is_named_below_the_least_likelihood() -> None:
    assert SCORES.measures(CascadeSettings(products_least=1.0))["right"] == pytest.approx(2 / 6)


def test_a_threshold_scale_names_more_or_fewer_elements() -> None:
    assert SCORES.measures(CascadeSettings(element_threshold_scale=1.5))["element_f1"] == pytest.approx(2 * 2 / (2 + 4))


def test_text_lets_in_only_what_is_read_of_an_archive_too() -> None:
    """An image that its pixels make no chart at all is not read: what is written on it cannot let it in."""
    alone = np.array([0.1, 0.25, 0.95, 0.4, 0.45, 0.1], np.float32)  # of the first one nobody reads the text
    votes = {"network": alone[:, None]}
    gate = Judged(
        pa.table({"title": ["t"] * 6, "text": ["t"] * 6}),
        {"is_meteo": alone >= 0.5, "gate_score": alone, "gate_votes": stacked(votes, ["network"])},
        0.0,
        0,
    )

    def verdict(votes: dict[str, np.ndarray], pages: list[Any]) -> dict[str, np.ndarray]:
        heard = np.array([page is not None for page in pages])
        scores = np.where(heard, SCORES.gate_score, votes["network"][:, 0])
        return {"is_meteo": scores.astype(np.float64) >= 0.5, "gate_score": scores}

    verdict.voters = ("network",)  # type: ignore[attr-defined]
    real = with_text_heard(gate, CASCADE["gate"], SimpleNamespace(verdict=verdict)).columns["is_meteo"]
    stored = replace(SCORES, gate_alone=alone, gate_passes=real)
    assert real.tolist() == [False, True, True, False, False, False]
    assert stored.measures(CascadeSettings(gate_threshold=0.5)) == stored.measures(CascadeSettings())


def test_where_the_search_left_candidates_out_answers_are_the_predictors_own() -> None:
    """With beams not every candidate has a likelihood; "none of these" is then weighed against all that were asked."""
    listed = np.array([[0.4, 0.1, 0.05, 0.45]], np.float32)
    said = np.array([[-0.1, -np.inf, -np.inf]], np.float32)
    three = ProductsVerdict.from_json(dict(zip(PRIOR, (1.0, 1.0, 0.0), strict=True)))
    right = answered(three.probabilities(listed, said, np.array([3])), 0.0)
    one = replace(
        SCORES,
        judged=np.array([0]),
        element_scores=SCORES.element_scores[:1],
        element_thresholds=SCORES.element_thresholds[:1],
        product=np.where(SCORES.is_meteo, right[0], -1),
        listed=listed,
        log_likelihood=said,
        candidates=np.array([3]),
    )
    assert right.tolist() == [0]
    assert one.measures(CascadeSettings())["right"] == pytest.approx((2 + 1) / 6)


def test_a_question_costs_what_it_took_however_few_were_asked() -> None:
    said = np.array([[-1.0, -np.inf]] + [[-np.inf, -np.inf]] * 3)
    products = Judged(pa.table({"image_id": list("abcd")}), {}, seconds=2.0, unreadable=0)
    assert cascade_scores._seconds_a_question(products, said) == 2.0
    assert cascade_scores._seconds_a_question(products, said[1:]) == 0.0


def test_scores_come_back_from_disk(tmp_path: Path) -> None:
    SCORES.save(tmp_path / "scores.npz")
    again = CascadeScores.read(tmp_path / "scores.npz")
    assert again.measures(CascadeSettings()) == SCORES.measures(CascadeSettings())
    assert replace(again, seconds=SCORES.seconds).judged.tolist() == SCORES.judged.tolist()


def test_the_middle_of_what_does_well_is_chosen_and_not_its_edge(tmp_path: Path) -> None:
    space = Space({"t": FloatDistribution(0.0, 1.0)}, [])
    objective = (memory.Objective("quality", "quality"),)
    study = memory.begin(tmp_path, "cascade", objective, {}, space.distributions, [])
    study.set_user_attr("default", [0.8])
    for place, value in ((0.1, 0.7), (0.3, 0.90), (0.5, 0.89), (0.52, 0.89), (0.7, 0.89), (0.9, 0.82)):
        study.enqueue_trial({"t": place})
        study.tell(study.ask(fixed_distributions=space.distributions), value)
    chosen = choose(study, space)
    assert chosen is not None
    assert chosen.params["t"] in (0.5, 0.52)


def test_where_nothing_passed_the_gate_nothing_further_is_known() -> None:
    nothing = replace(
        SCORES,
        gate_passes=np.zeros(6, bool),
        judged=np.zeros(0, np.int64),
        **{
            name: getattr(SCORES, name)[:0]
            for name in ("element_scores", "element_thresholds", "listed", "log_likelihood", "candidates")
        },
    )
    found = nothing.measures(CascadeSettings())
    assert (found["right"], found["element_f1"]) == (pytest.approx(2 / 6), 0.0)


def test_choosing_among_thousands_takes_little_memory() -> None:
    space = Space({"t": FloatDistribution(0.0, 1.0)}, [])
    study = optuna.create_study(direction="maximize")
    study.set_user_attr("default", [0.0])
    places = np.linspace(0.0, 1.0, 3001)
    study.add_trials(
        [
            optuna.trial.create_trial(params={"t": place}, distributions=dict(space.distributions), value=1.0)
            for place in places
        ]
    )
    tracemalloc.start()
    chosen = choose(study, space)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert chosen is not None
    assert chosen.params["t"] == pytest.approx(0.5)
    assert most < 30e6  # all distances at once would be 3001^2 x 8 bytes, 72 MB


def test_a_page_says_that_test_lost_and_what_was_not_set(tmp_path: Path) -> None:
    name = "cascade.gate_threshold"
    study = memory.begin(
        tmp_path, "cascade", (memory.Objective("quality", "q"),), {}, {name: FloatDistribution(0.0, 1.0)}, []
    )
    study.set_user_attr("default", [0.8])
    trial = study.ask(fixed_distributions={name: FloatDistribution(0.0, 1.0)})
    study.tell(trial, 0.9)
    base = EvaluateJob(data=tmp_path, models=tmp_path, out=tmp_path / "o.json")
    checks = [Check("validation", "quality", 0.8, 0.9), Check("test", "quality", 0.8, 0.7)]
    assert cascade_sweep._lost(checks)
    assert not cascade_sweep._lost(checks[:1])
    slower = [Check(split, "images_per_second", 90.0, 80.0) for split in ("validation", "test")]
    assert not cascade_sweep._lost([checks[0], Check("test", "quality", 0.8, 0.85), *slower])  # the price of it
    ending = Ending(memory.complete(study)[0], {}, base, {}, checks, cascade_sweep.LUCK)
    write_report(tmp_path / "report.html", study, ending)
    page = (tmp_path / "report.html").read_text()
    assert "what was gained on validation was luck" in page
    assert re.search(name + r'</td><td class="n">not set</td>', page)


def test_time_is_kept_for_what_comes_after_the_search() -> None:
    assert TuneJob(space="cascade", hours=1.0).searching_seconds == pytest.approx(3420)
    assert TuneJob(space="cascade").searching_seconds is None
