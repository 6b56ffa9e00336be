"""Candidate products by element match, hard negatives by Jaccard index, and the lists that training shows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.products.candidates import candidates, hard_negatives, jaccard, perturb, training_candidates
from meteo_ray.vocabulary import Element, Product, Vocabulary

ELEMENTS = ("wind", "pressure", "height", "rain", "snow")


def vocabulary_of(**products: tuple[str, ...]) -> Vocabulary:
    return Vocabulary(
        tuple(Element(id=name, zh=name + "场", en=name) for name in ELEMENTS),
        tuple(Product(id=name, zh=f"{name}图", elements=elements or "any") for name, elements in products.items()),
    )


VOCABULARY = vocabulary_of(
    wind_map=("wind",),
    wind_pressure=("wind", "pressure"),
    rain_map=("rain",),
    synoptic=("wind", "pressure", "height", "rain"),
    snow_map=("snow",),
)
element_lists = st.lists(st.sampled_from(ELEMENTS), unique=True)
product_ids = st.sampled_from(VOCABULARY.product_ids)


def test_half_of_the_required_elements_is_enough_and_the_best_match_leads() -> None:
    assert candidates(["wind"], VOCABULARY) == ["wind_map", "wind_pressure"]
    assert candidates(["wind", "pressure"], VOCABULARY) == ["wind_map", "wind_pressure", "synoptic"]
    assert candidates(["pressure"], VOCABULARY) == ["wind_pressure"]


def test_a_higher_minimum_match_keeps_fewer() -> None:
    assert candidates(["wind"], VOCABULARY, minimum_match=0.75) == ["wind_map"]


@pytest.mark.parametrize("detected", [[], ["height"], ["unheard of"]])
def test_without_any_match_every_product_is_a_candidate(detected: list[str]) -> None:
    assert candidates(detected, VOCABULARY) == list(VOCABULARY.product_ids)


def test_hard_negatives_overlap_partly() -> None:
    assert hard_negatives("wind_pressure", VOCABULARY) == ["wind_map", "synoptic"]  # Jaccard 1/2 and 2/4
    assert hard_negatives("snow_map", VOCABULARY) == []


def test_products_with_equal_elements_are_no_hard_negatives_of_each_other() -> None:
    twins = vocabulary_of(first=("wind",), second=("wind",))
    assert hard_negatives("first", twins) == []
    assert candidates(["wind"], twins) == ["first", "second"]


def test_a_product_of_any_elements_is_a_candidate_after_those_that_match() -> None:
    vocabulary = vocabulary_of(section=(), wind_map=("wind",), rain_map=("rain",))
    assert candidates(["wind"], vocabulary) == ["wind_map", "section"]
    assert candidates(["height"], vocabulary) == ["section", "wind_map", "rain_map"], "none matches: all are"
    assert hard_negatives("section", vocabulary) == hard_negatives("wind_map", vocabulary) == []
    drawn = training_candidates("section", ["wind"], vocabulary, 12, np.random.default_rng(0))
    assert sorted(drawn) == ["section", "wind_map"]


@given(element_lists, element_lists)
def test_jaccard_is_symmetric_and_one_only_for_equal_sets(first: list[str], second: list[str]) -> None:
    value = jaccard(first, second)
    assert value == jaccard(second, first)
    assert 0.0 <= value <= 1.0
    assert (value == 1.0) == (set(first) == set(second))


@given(product_ids, element_lists, st.integers(1, 8), st.integers(0, 2**32 - 1))
def test_a_training_list_holds_the_answer_once_and_is_capped(
    product: str, elements: list[str], maximum: int, seed: int
) -> None:
    chosen = training_candidates(product, elements, VOCABULARY, maximum, np.random.default_rng(seed))
    assert chosen.count(product) == 1
    assert len(chosen) == len(set(chosen)) <= maximum
    allowed = {product, *candidates(elements, VOCABULARY), *hard_negatives(product, VOCABULARY)}
    assert set(chosen) <= allowed
    assert chosen == training_candidates(product, elements, VOCABULARY, maximum, np.random.default_rng(seed))


def test_the_answer_stands_at_every_place_of_the_list() -> None:
    rng = np.random.default_rng(0)
    lists = [training_candidates("wind_pressure", ["wind"], VOCABULARY, 8, rng) for _ in range(50)]
    assert {chosen.index("wind_pressure") for chosen in lists} == {0, 1, 2}


@given(st.lists(st.sampled_from(ELEMENTS), unique=True, min_size=1), st.integers(0, 2**32 - 1))
def test_perturbing_changes_at_most_one_element_and_leaves_at_least_one(elements: list[str], seed: int) -> None:
    changed = perturb(elements, VOCABULARY, 1.0, np.random.default_rng(seed))
    assert changed
    assert len(set(changed) ^ set(elements)) == 1 or len(elements) == len(ELEMENTS)
    assert perturb(elements, VOCABULARY, 0.0, np.random.default_rng(seed)) == elements
