"""What is written on a chart: words are learnt, names are known, slips are forgiven."""

import numpy as np
import pytest

from meteo_ray.errors import UsageError
from meteo_ray.vocabulary import load_vocabulary
from meteo_ray.voters.text_voter import TEXT_VOTER, Page, TextVoter, pages_of

VOCABULARY = load_vocabulary()
RAIN, WIND, SNOW = (VOCABULARY.element_position[name] for name in ("precipitation", "wind", "snow"))

WRITTEN = {
    "24h total precipitation": ["precipitation"],
    "Rain accumulated in six hours": ["precipitation"],
    "10 m wind speed and barbs": ["wind"],
    "Gusts over the Baltic": ["wind"],
    "Depth of snow on the ground": ["snow"],
    "全国积雪深度": ["snow"],
    "Temperature at 850 hPa": ["temperature"],
    "": [],
}


def pages(titles) -> list[Page]:
    return [Page.of(title, f"{title}\nlatitude\n0 10 20 30") if title else Page.of(None, None) for title in titles]


def truth(times: int = 4) -> np.ndarray:
    return np.array([VOCABULARY.multi_hot(names) for names in WRITTEN.values()] * times)


@pytest.fixture(scope="module")
def voter() -> TextVoter:
    return TextVoter.fit(pages(list(WRITTEN) * 4), truth(), np.ones(4 * len(WRITTEN)), VOCABULARY)


def test_words_are_learnt_even_with_slips(voter):
    found = voter.votes(pages(["Accumu1ated rain in twelve hours", "Gvsts over the North Sea"]), VOCABULARY)["words"]
    assert found.dtype == np.float32
    assert found.shape == (2, len(VOCABULARY.elements))
    assert found[0].argmax() == RAIN
    assert found[1].argmax() == WIND


def test_names_speak_for_elements_that_no_page_taught(voter):
    position = VOCABULARY.element_position["sea_surface_temperature"]
    found = voter.votes(pages(["Sea surface temperature", "海表温度分布图"]), VOCABULARY)["names"]
    assert (found.argmax(axis=1) == position).all()


def test_an_empty_page_says_less_than_one_that_names_something_else(voter):
    empty, wind = voter.votes(pages(["", "10 m wind"]), VOCABULARY)["names"]
    assert wind[WIND] > empty[WIND]
    assert np.isfinite(empty).all()


def test_pages_count_by_their_weight_within_their_class():
    titles = ["Rain", "Dust"] * 6
    targets = np.repeat([[True], [False]], 6, axis=0)
    weights = np.where((np.array(titles) == "Rain") & targets[:, 0], 5.0, 1.0)
    voter = TextVoter.fit(pages(titles), targets, weights, VOCABULARY)
    rain, dust = voter.votes(pages(["Rain", "Dust"]), VOCABULARY)["words"][:, 0]
    assert rain > dust + 1


def test_a_question_without_enough_pages_keeps_its_base_rate(voter):
    found = voter.votes(pages(["Depth of snow", "Rain"]), VOCABULARY)["words"]
    position = VOCABULARY.element_position["lightning"]
    assert found[0, position] == found[1, position] < -3


def test_a_few_pages_move_an_earlier_voter_little_and_many_count_for_themselves(voter):
    """An office calls its rain charts Niederschlag, which the earlier pages never did."""
    foreign, known = pages(["Niederschlag", "Windgeschwindigkeit"]), pages(["Rain accumulated in six hours"])
    own = np.array([VOCABULARY.multi_hot(names) for names in (["precipitation"], ["wind"])])

    def voted(count: int) -> list[np.ndarray]:
        found = TextVoter.fit(foreign * count, np.tile(own, (count, 1)), np.ones(2 * count), VOCABULARY, voter)
        return [found.votes(asked, VOCABULARY)["words"] for asked in (known, foreign)]

    of_known, of_foreign = voted(2)
    assert of_known[0].argmax() == RAIN  # a voter of these pages alone knows nothing of it
    assert of_foreign[0, RAIN] > of_foreign[1, RAIN]
    assert of_foreign[1, WIND] > of_foreign[0, WIND]
    before = voter.votes(foreign, VOCABULARY)["words"]
    margins = [np.ptp(voted(count)[1][:, RAIN]) for count in (2, 20)]
    assert np.ptp(before[:, RAIN]) < margins[0] < margins[1]


def test_a_question_that_too_few_pages_teach_keeps_the_earlier_answer(voter):
    asked = pages(["Depth of snow on the ground", "Gusts"])
    found = TextVoter.fit(pages(["Rain", "Wind"]), truth(1)[[0, 2]], np.ones(2), VOCABULARY, voter)
    for name in TextVoter.VOTES:
        expected = voter.votes(asked, VOCABULARY)[name][:, SNOW]
        np.testing.assert_allclose(found.votes(asked, VOCABULARY)[name][:, SNOW], expected, rtol=1e-5)


def test_questions_that_have_come_up_since_are_learnt_beside_the_earlier_ones(voter):
    fewer = TextVoter(voter.idf, voter.coefficients[:-1], voter.intercepts[:-1], voter.names)
    found = TextVoter.fit(pages(list(WRITTEN) * 4), truth(), np.ones(4 * len(WRITTEN)), VOCABULARY, fewer)
    assert found.coefficients.shape == voter.coefficients.shape
    assert np.isfinite(found.votes(pages(["Rain"]), VOCABULARY)["words"]).all()


def test_a_single_question_hears_any_name():
    titles = ["24h precipitation", "Wind at 10 m", "Sea surface temperature", "Bicycle", "Sofa", "Kettle"]
    voter = TextVoter.fit(pages(titles), np.arange(6)[:, None] < 3, np.ones(6), VOCABULARY)
    snow, table = voter.votes(pages(["Snow depth", "Table"]), VOCABULARY)["names"][:, 0]
    assert snow > table


def test_pages_that_were_not_read_are_told_from_empty_ones():
    written = {"title": np.array(["Wind", "", None], object), "text": np.array(["Wind\n10", "", None], object)}
    assert pages_of(written) == [Page("wind", "wind\n10"), Page("", ""), None]
    unread = {"title": np.full(2, np.nan), "text": np.full(2, np.nan)}  # as Ray hands over a column of nulls
    assert pages_of(unread) == [None, None]


def test_what_was_appended_later_is_not_asked(voter):
    elements = (
        *VOCABULARY.elements,
        VOCABULARY.elements[0].model_copy(update={"id": "hail", "zh": "冰雹", "en": "hail", "aliases": ()}),
    )
    grown = VOCABULARY.__class__(elements, VOCABULARY.products)
    assert voter.votes(pages(["Hail"]), grown)["names"].shape == (1, len(VOCABULARY.elements))


def test_it_comes_back_from_its_file_and_damage_is_told(voter, tmp_path):
    voter.write(tmp_path)
    again = TextVoter.read(tmp_path, len(VOCABULARY.elements))
    asked = pages(["Wind and rain", ""])
    for name, votes in voter.votes(asked, VOCABULARY).items():
        np.testing.assert_array_equal(again.votes(asked, VOCABULARY)[name], votes)
    with pytest.raises(UsageError, match="another meteo_ray"):
        TextVoter.read(tmp_path, 3)
    (tmp_path / TEXT_VOTER).write_bytes(b"{}")
    with pytest.raises(UsageError, match="cannot be read"):
        TextVoter.read(tmp_path, len(VOCABULARY.elements))
