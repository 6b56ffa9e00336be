"""Which elements a text names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.text.normalise import normalised
from meteo_ray.text.vocabulary_match import HINTED, element_matches
from meteo_ray.vocabulary import Element, Vocabulary, load_vocabulary

VOCABULARY = load_vocabulary()


def named(text: str, least: float = 1.0) -> set[str]:
    found = element_matches(text, VOCABULARY)
    return {VOCABULARY.element_ids[position] for position in np.flatnonzero(found >= least)}


@given(st.text())
def test_any_text_gives_a_score_of_every_element(text: str) -> None:
    found = element_matches(text, VOCABULARY)
    assert found.dtype == np.float32
    assert found.shape == (len(VOCABULARY.elements),)
    assert ((found >= 0) & (found <= 1)).all()


@given(st.sampled_from(VOCABULARY.elements), st.data())
def test_every_name_is_found_whatever_stands_around_it(element: Element, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([element.id, element.zh, element.en, *element.aliases]))
    least = HINTED if len(normalised(name)) == 1 else 1.0
    assert element.id in named(f"(x) {name}: 12 / 34", least)


def test_a_text_about_nothing_names_nothing() -> None:
    assert named("Quarterly sales by region 2021", 0.01) == set()
    assert named("", 0.01) == set()


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("850 hPa temperature and wind", {"temperature", "wind"}),
        ("2 m dew point temperature", {"dew_point"}),
        ("Sea surface temperature", {"sea_surface_temperature"}),
        ("Potential vorticity", {"potential_vorticity"}),
        ("Brightness temperature", {"satellite"}),
        ("MSLP and total precipitation", {"pressure", "precipitation"}),
        ("Significant wave height", {"ocean_wave"}),
        ("500 MB Height (dm)", {"geopotential_height"}),
        ("surface_based_cape", {"instability"}),
        ("TotalPrecipitation", {"precipitation"}),
        ("850hPa氣壓和風場分布圖", {"pressure", "wind"}),
        ("全国雷达组合反射率拼图", {"radar_reflectivity"}),
        ("云南省 昆明", set()),
        ("lighting of the bounding box", set()),
        ("windows", set()),
    ],
)
def test_longer_names_win_and_other_words_are_left_alone(text: str, elements: set[str]) -> None:
    assert named(text) == elements


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ("Temperatvre at 850 hPa", "temperature"),
        ("Relatlve humidlty", "humidity"),
        ("Sea Ievel pressvre", "pressure"),
        ("Potential vortlcity", "potential_vorticity"),
        ("对流有效位熊", "instability"),
    ],
)
def test_a_misread_letter_costs_a_little(text: str, element: str) -> None:
    score = element_matches(text, VOCABULARY)[VOCABULARY.element_position[element]]
    assert 0.75 < score < 1


@pytest.mark.parametrize("text", ["show", "save", "fort", "clout", "wing", "rein"])
def test_short_words_are_not_stretched(text: str) -> None:
    assert named(text, 0.01) == set()


def test_a_unit_only_points_to_an_element() -> None:
    assert element_matches("10 20 30 m/s", VOCABULARY)[VOCABULARY.element_position["wind"]] == HINTED


def test_any_vocabulary_is_taken() -> None:
    small = Vocabulary((Element(id="meteor", zh="流星", en="meteor shower", aliases=("(x)+", "Perseids")),), ())
    for text in ("流星雨", "Meteor  shower", "meteor", "perseids 2021", "(x)+"):
        assert element_matches(text, small).tolist() == [1.0]
    assert element_matches("temperature and wind", small).tolist() == [0.0]
