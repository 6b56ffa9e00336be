"""Nothing is compared in speed before the answers are: who leaves a file out, or judges otherwise, is named."""

from copy import deepcopy

import numpy as np
import pytest

from benchmarks.speed.agreement import agreement
from benchmarks.speed.judges import Judge, StandIn, signature

NAMES = [f"{number}.png" for number in range(10)]
OWN = {
    name: {"score": 0.9 if number % 2 else 0.1, "chart": bool(number % 2), "elements": ["wind"] if number % 2 else None}
    for number, name in enumerate(NAMES)
}


def test_equal_answers_hold():
    found = agreement({"own": OWN, "other": deepcopy(OWN)}, "own", NAMES)
    assert found["problems"] == []
    assert (found["score_difference"], found["charts_alike"], found["elements_alike"]) == (0, 1, 1)
    assert found["charts"] == 0.5


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda found: found.pop("3.png"), "9 answers for 10 files"),
        (lambda found: [one.update(score=one["score"] - 0.05) for one in found.values()], "scores differ"),
        (lambda found: found["0.png"].update(chart=True), "judged otherwise"),
        (
            lambda found: [one.update(elements=["rain"]) for one in found.values() if one["chart"]],
            "elements agree to 0",
        ),
    ],
)
def test_who_answers_otherwise_is_named(change, problem):
    other = deepcopy(OWN)
    change(other)
    (found,) = agreement({"own": OWN, "other": other}, "own", NAMES)["problems"]
    assert found.startswith("other: ")
    assert problem in found


def test_scores_of_jpegs_are_compared_where_nobody_judged():
    def answers(score: float, chart: bool | None) -> dict:
        return {"a.jpg": {"score": score, "chart": chart, "elements": None}}

    assert agreement({"own": answers(0.9, True), "other": answers(0.7, True)}, "own", ["a.jpg"])["problems"] == []
    assert agreement({"own": answers(0.9, None), "other": answers(0.7, None)}, "own", ["a.jpg"])["problems"]


def test_a_signature_sees_colour_and_place():
    image = np.random.default_rng(0).integers(0, 256, (1, 240, 320, 3), dtype=np.uint8)
    same = signature(image)[0]
    assert 0 < same < 1
    assert abs(signature(image[:, ::-1])[0] - same) > 1e-5
    assert abs(signature(np.minimum(image, 250) + 5)[0] - same) > 0.01
    assert signature(np.full_like(image, 255))[0] == pytest.approx(1)


def test_the_stand_in_answers_as_nobody_does(tmp_path):
    images = np.full((3, 240, 320, 3), 51, dtype=np.uint8)
    log = tmp_path / "calls.jsonl"
    found = StandIn(True, 0.001, str(log))({"image": images})
    assert not found["is_meteo"].any()
    assert [one["score"] for one in Judge([], None).answers(images, signed=True)] == found["gate_score"].tolist()
    assert len(log.read_text().splitlines()) == 1
