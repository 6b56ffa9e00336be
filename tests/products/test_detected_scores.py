"""Draws of what the element stage would say follow what it said on validation charts."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from meteo_ray.products.detected_scores import LEAST_CHARTS, DetectedScores

ELEMENTS = ("wind", "rain", "fog")
ROWS = 200


@pytest.fixture(scope="module")
def validation() -> dict[str, np.ndarray]:
    """Wind is told well, rain badly; fog is on fewer charts than can be drawn from."""
    rng = np.random.default_rng(0)
    shown = rng.random((ROWS, 3)) < [0.5, 0.4, 0.0]
    shown[: LEAST_CHARTS - 1, 2] = True
    scores = np.where(shown, rng.beta([8, 2, 9], [2, 2, 1], (ROWS, 3)), rng.beta([2, 2, 1], [8, 3, 9], (ROWS, 3)))
    scores = scores.astype(np.float32)
    return {"scores": scores, "named": scores > [0.5, 0.4, 0.6], "shown": shown}


@pytest.fixture(scope="module")
def detected(validation) -> DetectedScores:
    return DetectedScores.fit(ELEMENTS, **validation)


def draws(detected: DetectedScores, elements: list[str], rows: int = 2000) -> tuple[np.ndarray, list[list[str]]]:
    rng = np.random.default_rng(1)
    scores, named = zip(*(detected.draw(elements, rng) for _ in range(rows)), strict=True)
    return np.array(scores), list(named)


@pytest.mark.parametrize("elements", [[], ["wind"], ["wind", "rain"]])
def test_draws_follow_charts_that_show_an_element_or_do_not(elements, detected, validation) -> None:
    scores, named = draws(detected, elements)
    assert scores.dtype == np.float32
    for place, name in enumerate(ELEMENTS[:2]):
        kind = validation["shown"][:, place] == (name in elements)
        seen = validation["scores"][kind, place]
        assert set(scores[:, place]) <= set(seen)
        assert ks_2samp(scores[:, place], seen).pvalue > 1e-3
        share = np.mean([name in row for row in named])
        assert share == pytest.approx(validation["named"][kind, place].mean(), abs=0.04)


def test_what_is_named_goes_with_its_score_the_likeliest_first(detected, validation) -> None:
    thresholds = dict(zip(ELEMENTS, [0.5, 0.4, 0.6], strict=True))
    pooled = set(validation["scores"][validation["shown"]])
    for scores, named in zip(*draws(detected, ["wind"], 300), strict=True):
        by_name = dict(zip(ELEMENTS, scores, strict=True))
        assert [by_name[name] for name in named] == sorted((by_name[name] for name in named), reverse=True)
        assert {name for name in ELEMENTS if by_name[name] > thresholds[name]} == set(named)
        assert by_name["wind"] in pooled


def test_an_element_of_few_charts_draws_from_those_of_all(detected, validation) -> None:
    scores, _ = draws(detected, ["fog"])
    seen, own = validation["scores"][validation["shown"]], validation["scores"][: LEAST_CHARTS - 1, 2]
    assert set(scores[:, 2]) <= set(seen)
    assert not set(scores[:, 2]) <= set(own)
    assert ks_2samp(scores[:, 2], seen).pvalue > 1e-3


def test_the_same_generator_draws_the_same(detected) -> None:
    first, second = (detected.draw(["rain"], np.random.default_rng(9)) for _ in range(2))
    assert first[0].tolist() == second[0].tolist()
    assert first[1] == second[1]


@pytest.mark.parametrize("shown", [True, False])
def test_charts_that_tell_only_one_kind_teach_nothing(shown: bool, validation) -> None:
    every = {**validation, "shown": np.full((ROWS, 3), shown)}
    assert DetectedScores.fit(ELEMENTS, **every) is None
