"""How products and their elements overlap: agreement with what was detected, and hard negatives by Jaccard index."""

from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.products.candidates import hard_negatives, jaccard, match
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


def test_match_is_the_share_of_required_elements_that_were_detected() -> None:
    assert match(["wind"], ["wind", "pressure"]) == 0.5
    assert match(["wind", "rain"], ["wind"]) == 1.0, "what else was detected does not count"
    assert match([], ["wind"]) == match(["unheard of"], ["wind"]) == 0.0
    assert match([], []) == match(["wind"], []) == 1.0, "a product of any elements requires none"


@given(element_lists, element_lists)
def test_match_grows_with_what_is_detected(detected: list[str], required: list[str]) -> None:
    assert 0.0 <= match(detected, required) <= match([*detected, *required[:1]], required) <= 1.0
    assert match(required, required) == 1.0


def test_hard_negatives_overlap_partly() -> None:
    assert hard_negatives("wind_pressure", VOCABULARY) == ["wind_map", "synoptic"]  # Jaccard 1/2 and 2/4
    assert hard_negatives("snow_map", VOCABULARY) == []


def test_products_with_equal_elements_are_no_hard_negatives_of_each_other() -> None:
    twins = vocabulary_of(first=("wind",), second=("wind",))
    assert hard_negatives("first", twins) == []


def test_a_product_of_any_elements_is_nobodys_hard_negative() -> None:
    vocabulary = vocabulary_of(section=(), wind_map=("wind",), rain_map=("rain",))
    assert hard_negatives("section", vocabulary) == hard_negatives("wind_map", vocabulary) == []


@given(element_lists, element_lists)
def test_jaccard_is_symmetric_and_one_only_for_equal_sets(first: list[str], second: list[str]) -> None:
    value = jaccard(first, second)
    assert value == jaccard(second, first)
    assert 0.0 <= value <= 1.0
    assert (value == 1.0) == (set(first) == set(second))
