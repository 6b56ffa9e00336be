"""Labels may be appended to a vocabulary, and a model that knows less goes on; every other change is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.errors import UsageError
from meteo_ray.vocabulary import Element, Product, Vocabulary
from meteo_ray.vocabulary.growth import appended, differences, joined, require_grown

NAMES = ("wind", "rain", "snow", "fog")
MODEL = Path("models/elements")


def vocabulary(elements: tuple[str, ...] = NAMES, products: tuple[str, ...] = ("gale",)) -> Vocabulary:
    return Vocabulary(
        tuple(Element(id=name, zh=name, en=name) for name in elements),
        tuple(Product(id=name, zh=name, elements=elements[:1]) for name in products),
    )


@pytest.mark.parametrize(
    ("trained", "words"),
    [
        (["a", "b"], []),
        (["a"], []),
        ([], []),
        (["a", "b", "c"], ["only in the model: c"]),
        (["b", "a"], ["position 0: a in the vocabulary, b in the model"]),
        (
            ["a", "x"],
            ["only in the vocabulary: b", "only in the model: x", "position 1: b in the vocabulary, x in the model"],
        ),
    ],
)
def test_differences_between_two_label_lists(trained: list[str], words: list[str]) -> None:
    assert differences(["a", "b"], trained) == words


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.lists(st.sampled_from("abcdef"), unique=True))
def test_exactly_the_beginning_of_a_list_agrees_with_it(ours: list[str], trained: list[str]) -> None:
    assert (differences(ours, trained) == []) == (ours[: len(trained)] == trained)


def test_what_was_appended_is_named() -> None:
    grown = vocabulary(products=("gale", "blizzard"))
    require_grown(MODEL, grown, vocabulary(NAMES[:2]))
    assert appended(grown, vocabulary(NAMES[:2])) == {"elements": ["snow", "fog"], "products": ["blizzard"]}
    assert appended(grown, grown) == {}


@pytest.mark.parametrize(
    "trained",
    [
        vocabulary(("rain", "wind", "snow", "fog")),
        vocabulary(("wind", "rainfall")),
        vocabulary(products=("storm",)),
        vocabulary(products=("gale", "storm")),
    ],
)
def test_reordering_renaming_and_removing_are_refused(trained: Vocabulary) -> None:
    with pytest.raises(UsageError, match=r"models/elements: trained with other labels[\s\S]*(elements|products), "):
        require_grown(MODEL, vocabulary(), trained)


def test_models_of_different_age_share_the_longest_lists() -> None:
    newer_elements, newer_products = vocabulary(NAMES), vocabulary(NAMES[:2], ("gale", "blizzard"))
    for order in ([newer_elements, newer_products], [newer_products, newer_elements]):
        found = joined([vocabulary(NAMES[:1]), *order])
        assert (found.element_ids, found.product_ids) == (NAMES, ("gale", "blizzard"))


def test_the_last_models_definitions_stand() -> None:
    redefined = Vocabulary(vocabulary().elements, (Product(id="gale", zh="大风", elements=("rain",)),))
    assert joined([vocabulary(), redefined]).products == redefined.products
    assert joined([vocabulary(products=("gale", "blizzard")), redefined]).products[0] == redefined.products[0]


def test_a_model_is_asked_only_about_the_sections_that_it_uses() -> None:
    other_products = vocabulary(products=("storm",))
    require_grown(MODEL, vocabulary(), other_products, ("elements",))
    require_grown(MODEL, vocabulary(), vocabulary(NAMES[::-1]), ())
    with pytest.raises(UsageError, match="products, "):
        require_grown(MODEL, vocabulary(), other_products, ("products",))
