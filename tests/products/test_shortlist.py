"""The shortlist of products: what it learns, whom it ranks untaught, missing inputs, "none of these", its files."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meteo_ray.errors import UsageError
from meteo_ray.metrics.calibration_error import expected_calibration_error
from meteo_ray.products.shortlist import Evidence, Shortlist, ShortlistSettings
from meteo_ray.products.shortlist.learnt import learnt_term
from meteo_ray.products.shortlist.terms import ELEMENT_TERMS, TEXT_TERMS, element_terms, text_terms
from meteo_ray.vocabulary import Element, Product, Vocabulary
from meteo_ray.voters.descriptors import FEATURES
from meteo_ray.voters.text_voter import Page

ELEMENTS = ("wind", "rain", "snow", "height")
VOCABULARY = Vocabulary(
    tuple(Element(id=name, zh=f"{name}场", en=name) for name in ELEMENTS),
    (
        Product(id="wind_map", zh="大风图", en="wind map", aliases=("gust chart",), elements=("wind",)),
        Product(id="rain_map", zh="降雨分布图", en="rainfall map", elements=("rain",)),
        Product(id="storm_map", zh="风雨综合图", en="storm overview", elements=("wind", "rain")),
        Product(id="section", zh="剖面图", en="vertical section", elements="any"),
    ),
)
COUNT = len(VOCABULARY.products)
LORE = {"wind_map": "anemometer network", "rain_map": "umbrella index", "storm_map": "gale watch", "section": "levels"}
HAIL = Product(id="hail_map", zh="冰雹落区", en="hail swath", elements=("height",))


def charts(rows: int, seed: int) -> tuple[Evidence, list[str]]:
    """Charts whose words, look and elements tell the product, each not always."""
    rng = np.random.default_rng(seed)
    names = [VOCABULARY.product_ids[number % COUNT] for number in range(rows)]
    shown = np.array([VOCABULARY.multi_hot(VOCABULARY.product_by_id[name].elements) for name in names])
    scores = 1 / (1 + np.exp(-rng.normal(5 * shown - 3, 1.5)))
    looks = rng.normal(size=(rows, FEATURES))
    looks[np.arange(rows), [VOCABULARY.product_ids.index(name) for name in names]] += 4
    pages = [page(name, rng) for name in names]
    return Evidence(scores.astype(np.float32), pages, looks.astype(np.float32)), names


def page(name: str, rng: np.random.Generator) -> Page | None:
    product = VOCABULARY.product_by_id[name]
    title = str(rng.choice([product.en or "", product.zh, "forecast", LORE[name]]))
    return Page.of(title, f"{title}\nissued {rng.integers(24)} UTC") if rng.random() < 0.9 else None


@pytest.fixture(scope="module")
def fitted() -> Shortlist:
    training, validation = charts(120, 0), charts(80, 1)
    return Shortlist.fit(VOCABULARY, *training, *validation)


def top1(shortlist: Shortlist, evidence: Evidence, names: list[str]) -> float:
    scores = shortlist.scores(*evidence)
    ranked = shortlist.candidates(scores, 1)
    return float(np.mean([row == [name] for row, name in zip(ranked, names, strict=True)]))


def test_each_part_helps_and_all_are_best(fitted: Shortlist) -> None:
    evidence, names = charts(200, 2)
    alone = [
        Evidence(evidence.element_scores),
        Evidence(pages=evidence.pages),
        Evidence(descriptors=evidence.descriptors),
    ]
    parts = [top1(fitted, part, names) for part in alone]
    assert min(parts) > 0.4
    assert top1(fitted, evidence, names) > max(*parts, 0.85)


def test_words_are_learnt_that_no_name_holds(fitted: Shortlist) -> None:
    evidence = Evidence(pages=[Page.of(words, words) for words in LORE.values()])
    assert top1(fitted, evidence, list(LORE)) == 1
    assert top1(Shortlist.untrained(VOCABULARY), evidence, list(LORE)) < 1


def test_untrained_it_goes_by_names_and_elements() -> None:
    evidence, names = charts(200, 2)
    assert top1(Shortlist.untrained(VOCABULARY), evidence, names) > 0.6


def test_an_appended_product_comes_first_when_the_title_says_its_name(fitted: Shortlist, tmp_path) -> None:  # type: ignore[no-untyped-def]
    fitted.write(tmp_path)
    grown = Vocabulary(VOCABULARY.elements, (*VOCABULARY.products, HAIL))
    shortlist = Shortlist.read(tmp_path, grown)
    titles = ["Hail swath, last 24 h", "冰雹落区 2026-07-01", "wind map"]
    scores = shortlist.scores(pages=[Page.of(title, title) for title in titles])
    assert scores.shape == (3, COUNT + 2)
    assert [row[0] for row in shortlist.candidates(scores)] == ["hail_map", "hail_map", "wind_map"]


def test_elements_that_came_up_later_are_not_known(fitted: Shortlist) -> None:
    evidence, _ = charts(8, 3)
    grown = Vocabulary((*VOCABULARY.elements, Element(id="hail", zh="冰雹", en="hail")), VOCABULARY.products)
    later = Shortlist(grown, fitted.formula, fitted.unread, fitted.words, fitted.looks)
    np.testing.assert_allclose(later.scores(*evidence), fitted.scores(*evidence), atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_mix_of_missing_inputs_gives_probabilities(fitted: Shortlist, data: st.DataObject) -> None:
    evidence, _ = charts(6, 4)
    gone = data.draw(st.lists(st.booleans(), min_size=3, max_size=3).filter(lambda parts: not all(parts)))
    masks = [np.array(data.draw(st.lists(st.booleans(), min_size=6, max_size=6))) for _ in range(3)]
    some = np.array(data.draw(st.lists(st.booleans(), min_size=4, max_size=4)))
    scores, descriptors = np.array(evidence.element_scores), np.array(evidence.descriptors)
    scores[np.ix_(masks[0], some)] = np.nan
    descriptors[masks[2]] = np.nan
    pages = [None if absent else page for absent, page in zip(masks[1], evidence.pages or [], strict=True)]
    parts = [None if absent else part for absent, part in zip(gone, (scores, pages, descriptors), strict=True)]
    for shortlist in (fitted, Shortlist.untrained(VOCABULARY)):
        found = shortlist.scores(*parts)
        assert (found.shape, found.dtype) == ((6, COUNT + 1), np.float32)
        assert np.isfinite(found).all()
        assert found.min() >= 0
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_what_is_not_known_says_nothing_for_any_product() -> None:
    pages, scores = [None, Page.of("", "")], np.full((2, len(ELEMENTS)), np.nan)
    found = {**element_terms(scores, 2, VOCABULARY), **text_terms(pages, VOCABULARY)}
    assert tuple(found) == (*ELEMENT_TERMS, *TEXT_TERMS)
    assert not any(values.any() for values in found.values())


def test_elements_that_a_product_does_not_explain_speak_against_it() -> None:
    found = element_terms(np.array([[0.9, 0.9, 0.01, 0.01]]), 1, VOCABULARY)
    explained = dict(zip(VOCABULARY.product_ids, found["elements_explained"][0].tolist(), strict=True))
    assert explained["storm_map"] > explained["wind_map"]
    assert explained["section"] == found["elements_mean"][0, -1] == 0, "any elements: neither for nor against"
    missing = element_terms(np.array([[0.9, 0.05, 0.01, 0.01]]), 1, VOCABULARY)["elements_least"][0]
    assert missing[0] > 0 > missing[2]


def test_nothing_to_go_by_or_rows_that_differ_are_refused(fitted: Shortlist) -> None:
    with pytest.raises(ValueError, match="same number of rows"):
        fitted.scores()
    with pytest.raises(ValueError, match=r"\[1, 2\]"):
        fitted.scores(np.zeros((2, 4)), [None])


def test_charts_of_no_product_are_none_of_these(fitted: Shortlist) -> None:
    evidence, _ = charts(100, 5)
    foreign = Evidence(
        np.full((100, 4), 0.02), [Page.of("soil survey", "soil survey clay")] * 100, np.zeros((100, FEATURES))
    )
    none, known = fitted.scores(*foreign)[:, -1], fitted.scores(*evidence)[:, -1]
    assert none.min() > np.quantile(known, 0.75)
    assert np.mean(known > 0.5) < 0.1


def test_known_rows_of_no_product_and_the_expected_share_make_none_likelier() -> None:
    training, (evidence, names), (asked, _) = charts(120, 0), charts(80, 1), charts(40, 6)
    shares = [
        Shortlist.fit(VOCABULARY, *training, evidence, names, ShortlistSettings(none_share=share))
        .scores(*asked)[:, -1]
        .mean()
        for share in (0.02, 0.3)
    ]
    assert shares[0] < shares[1]
    unknown = Evidence(*(part[:20] if part is not None else None for part in evidence))
    with_none = Shortlist.fit(VOCABULARY, *training, unknown, [None] * 10 + names[10:20])
    assert np.isfinite(with_none.scores(*asked)).all()


def test_a_product_left_out_is_as_if_it_had_never_been_learnt() -> None:
    utilities = np.log(np.array([[0.5, 0.3, 0.2]], dtype=np.float32))
    found = learnt_term(utilities, ("a", "b", "c"), ("a", "b", "c", "new"), np.array([0]))
    np.testing.assert_allclose(found[0], [0, np.log(0.6 * 2), np.log(0.4 * 2), 0], rtol=1e-5)


def test_probabilities_mean_what_they_say_on_rows_that_were_not_fitted() -> None:
    training, (validation, names) = charts(120, 0), charts(400, 7)
    shortlist = Shortlist.fit(VOCABULARY, *training, validation, names)
    scores = shortlist.cross_fitted(validation, names)[:, :-1]
    right = scores.argmax(axis=1) == [VOCABULARY.product_ids.index(name) for name in names]
    assert expected_calibration_error(right, scores.max(axis=1) / scores.sum(axis=1)) < 0.06


def test_it_comes_back_from_its_files_and_damage_is_told(fitted: Shortlist, tmp_path) -> None:  # type: ignore[no-untyped-def]
    evidence, _ = charts(10, 8)
    fitted.write(tmp_path)
    np.testing.assert_array_equal(Shortlist.read(tmp_path, VOCABULARY).scores(*evidence), fitted.scores(*evidence))
    assert {file.name for file in tmp_path.iterdir()} == {"shortlist.json", "shortlist.safetensors"}
    file = tmp_path / "shortlist.json"
    document = json.loads(file.read_text("utf-8"))
    del document["coefficients"]["read"]["products"]["words"]
    file.write_text(json.dumps(document), "utf-8")
    with pytest.raises(UsageError, match="words"):
        Shortlist.read(tmp_path, VOCABULARY)
    fitted.write(tmp_path)
    (tmp_path / "shortlist.safetensors").write_bytes(b"{}")
    with pytest.raises(UsageError, match="cannot be read"):
        Shortlist.read(tmp_path, VOCABULARY)
    with pytest.raises(UsageError, match="nowhere"):
        Shortlist.read(tmp_path / "nowhere", VOCABULARY)


def test_an_untrained_one_survives_its_files_too(tmp_path) -> None:  # type: ignore[no-untyped-def]
    evidence, _ = charts(10, 8)
    untrained = Shortlist.untrained(VOCABULARY)
    untrained.write(tmp_path)
    np.testing.assert_array_equal(Shortlist.read(tmp_path, VOCABULARY).scores(*evidence), untrained.scores(*evidence))


@pytest.mark.parametrize("names", [["wind_map"] * 4, ["wind_map", None, None, None], [None] * 4])
def test_too_little_teaches_nothing_and_breaks_nothing(names: list[str | None]) -> None:
    evidence, _ = charts(4, 9)
    scores = Shortlist.fit(VOCABULARY, evidence, names, evidence, names).scores(*evidence)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_candidates_are_products_the_likeliest_first(fitted: Shortlist) -> None:
    scores = np.array([[0.1, 0.3, 0.1, 0.1, 0.4]], dtype=np.float32)
    assert fitted.candidates(scores, 3) == [["rain_map", "wind_map", "storm_map"]]
    assert fitted.candidates(scores, 99) == [["rain_map", "wind_map", "storm_map", "section"]]


def test_charts_that_were_not_read_are_no_strangers(vocabulary) -> None:
    """Where no name can stand, its absence says nothing: elements alone choose, fitted or not."""
    rng, ids = np.random.default_rng(3), vocabulary.product_ids
    products = [ids[number % 6] for number in range(120)]
    shown = np.array([vocabulary.multi_hot(vocabulary.product_by_id[name].elements) > 0 for name in products])
    scores = np.where(shown, rng.uniform(0.7, 0.98, shown.shape), rng.uniform(0.01, 0.1, shown.shape))
    pages = [Page(name, name) for name in (vocabulary.product_by_id[product].zh for product in products)]
    known = Evidence(scores, pages, None)
    fitted = Shortlist.fit(vocabulary, known, products, known, products)
    targets = np.array([ids.index(name) for name in products])
    for shortlist in (fitted, Shortlist.untrained(vocabulary)):
        read, unread = shortlist.scores(scores, pages), shortlist.scores(scores, None)
        assert (read[:, :-1].argmax(axis=1) == targets).all()
        assert (unread[:, -1] < 0.5).mean() > 0.9, "hardly any chart is none of the products"
        blank = shortlist.scores(scores, [Page("", "")] * len(products))
        np.testing.assert_array_equal(blank, unread)
