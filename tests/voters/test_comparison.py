"""The voters' table on votes written by hand, and keywords on pages."""

import numpy as np
import pyarrow as pa
import pytest

from meteo_ray.calibration.votes import Scale, VoteScales
from meteo_ray.elements.calibration import ElementsCalibration, LabelCalibration
from meteo_ray.elements.verdict import ElementsVerdict
from meteo_ray.metrics.multilabel import mean_average_precision
from meteo_ray.vocabulary import Element, Vocabulary
from meteo_ray.voters.comparison import compared, pages_written
from meteo_ray.voters.keywords import keywords
from meteo_ray.voters.text_voter import Page, TextVoter

VOCABULARY = Vocabulary(
    tuple(Element(id=name, zh=zh, en=name) for name, zh in (("wind", "风"), ("rain", "降雨量"))), ()
)
TARGETS = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], dtype=bool)
RIGHT, INVERTED = np.where(TARGETS, 2.0, -2.0), np.where(TARGETS, -1.0, 1.0)
PAGES = [Page("wind", "wind"), Page("rain", "rain"), None, None]


def calibration(*voters: str) -> ElementsCalibration:
    """Scales that leave scores as they are."""
    each = LabelCalibration(1.0, 0.0, 0.5, 5, False)
    return ElementsCalibration(VoteScales({name: Scale((1.0,) * 2, (0.0,) * 2) for name in voters}), (each,) * 2)


def measured(verdict: ElementsVerdict, votes, pages) -> dict:
    return compared(verdict, votes, pages, TARGETS, mean_average_precision, "map")


@pytest.fixture(scope="module")
def text() -> TextVoter:
    pages = [page for page in PAGES if page is not None] * 5
    return TextVoter.fit(pages, np.tile(TARGETS[:2], (5, 1)), np.ones(10), VOCABULARY)


def test_every_voter_is_measured_where_it_was_asked(text):
    pixels = ("parallel", "sequence", "trees")
    verdict = ElementsVerdict(VOCABULARY, calibration(*pixels), calibration(*pixels, "words", "names"), text)
    votes = {"parallel": RIGHT, "sequence": 0.5 * INVERTED, "trees": INVERTED}
    found = measured(verdict, votes, PAGES)
    assert list(found) == ["network", *pixels, "words", "names", "text", "pixels", "all"]
    assert {name: part["rows"] for name, part in found.items() if part["rows"] == 2} == dict.fromkeys(
        ("words", "names", "text", "all"), 2
    )
    assert found["network"]["map"] == found["parallel"]["map"] == found["pixels"]["map"] == 1.0
    assert found["trees"]["map"] == found["sequence"]["map"] < 0.6
    assert found["names"]["map"] == found["text"]["map"] == found["all"]["map"] == 1.0


def test_a_network_alone_is_not_listed_twice():
    verdict = ElementsVerdict(VOCABULARY, calibration("parallel"))
    found = measured(verdict, {"parallel": RIGHT}, PAGES)
    assert found == {name: {"rows": 4, "map": 1.0} for name in ("network", "pixels")}


def test_text_that_was_read_nowhere_has_no_line(text):
    verdict = ElementsVerdict(VOCABULARY, calibration("parallel"), calibration("parallel", "words", "names"), text)
    assert list(measured(verdict, {"parallel": RIGHT}, [None] * 4)) == ["network", "pixels"]


def test_keywords_count_the_title_twice_and_take_no_hint_for_a_name():
    found = keywords(
        [Page("wind", "wind 850hpa"), Page("", "rain"), Page("", "a gale of 12 m/s"), Page("", "")], VOCABULARY
    )
    assert found.scores[:, 0].tolist() == [3.0, 0.0, 0.5, 0.0]
    assert found.shown.tolist() == [[True, False], [False, True], [False, False], [False, False]]
    assert keywords([], VOCABULARY).shown.shape == (0, 2)


def test_pages_of_rows_with_texts():
    rows = pa.table({"title": ["Wind", "", None], "text": pa.array(["Wind\n12 M/S", "", None])})
    assert pages_written(rows) == [Page("wind", "wind\n12 m/s"), Page("", ""), None]
    assert pages_written(rows.slice(2)) == [None]
