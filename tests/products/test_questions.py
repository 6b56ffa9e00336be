"""What the language model is asked: the same list in training and in use, hard negatives, titles, missing evidence."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.batch import ANSWERED, Batch, objects
from meteo_ray.products.candidates import hard_negatives
from meteo_ray.products.detected_scores import DetectedScores
from meteo_ray.products.prompt import HARMLESS, LONGEST_TITLE, PromptEncoder, question
from meteo_ray.products.questions import (
    AskingQuestions,
    PrepareQuestions,
    Question,
    TrainingQuestions,
    elements_of,
    evidence_of,
    titles_of,
)
from meteo_ray.products.shortlist import Shortlist
from meteo_ray.streaming.pixels import PreparePixels
from meteo_ray.vocabulary import Element, Product, Vocabulary
from meteo_ray.voters.descriptors import FEATURES

ELEMENTS = tuple("abcdef")
# Every product is a pair of neighbours, or of all but one, so that each has hard negatives and is one.
PAIRS = [ELEMENTS[first : first + size] for size in (1, 2, 3) for first in range(len(ELEMENTS) - size + 1)]
VOCABULARY = Vocabulary(
    tuple(Element(id=name, zh=f"{name}场", en=f"{name} field") for name in ELEMENTS),
    tuple(Product(id="_".join(pair), zh=f"{'和'.join(pair)}图", en=f"{pair} map", elements=pair) for pair in PAIRS),
)
MOST = 6
ASKING = AskingQuestions(Shortlist.untrained(VOCABULARY), MOST, with_title=True)
POSITION = {name: place for place, name in enumerate(VOCABULARY.product_ids)}


def charts(rows: int, seed: int = 0) -> Batch:
    """Charts as they come out of an index, with what the element stage answered beside."""
    rng = np.random.default_rng(seed)
    products = [VOCABULARY.products[place] for place in rng.integers(len(PAIRS), size=rows)]
    scores = [np.clip(VOCABULARY.multi_hot(row.elements) + rng.normal(0, 0.7, 6), 0.02, 0.98) for row in products]
    return {
        "image_id": objects([f"{seed * 1000 + row:016x}" for row in range(rows)]),
        "path": objects(["nowhere.png"] * rows),
        "sha256": objects(["0" * 64] * rows),
        "product": objects([row.id for row in products]),
        "elements": objects([list(row.elements) for row in products]),
        f"{ANSWERED}elements": objects(
            [[{"id": name, "score": 0.9} for name, at in zip(ELEMENTS, row, strict=True) if at > 0.5] for row in scores]
        ),
        f"{ANSWERED}element_scores": objects([row.tolist() for row in scores]),
        "title": objects([f"title {row}" for row in range(rows)]),
        "text": objects([f"title {row}\nand more" for row in range(rows)]),
    }


def training_of(hard: int = 2, untitled: float = 0.0, epoch: int = 0, detected=None, asking=ASKING):
    return TrainingQuestions(asking, detected, hard, untitled, seed=3, epoch=epoch)


def in_use(batch: Batch, asking: AskingQuestions = ASKING) -> list[Question]:
    shown = elements_of(batch[f"{ANSWERED}elements"])
    return asking(evidence_of(batch, ANSWERED), shown, titles_of(batch))[0]


def in_order(names: list[str]) -> bool:
    return names == sorted(names, key=POSITION.__getitem__)


def test_training_and_use_list_the_same_candidates() -> None:
    """Of the same shortlist, as many, in the vocabulary's order; training only makes room for the right product."""
    batch = charts(60)
    trained, used = training_of(hard=0)(batch), in_use(batch)
    for product, ours, theirs in zip(batch["product"], trained, used, strict=True):
        assert len(ours.candidates) == len(theirs.candidates) == MOST
        assert in_order(ours.candidates)
        assert in_order(theirs.candidates)
        assert ours.answers == [product]
        assert theirs.answers == theirs.candidates
        assert set(ours.candidates) - set(theirs.candidates) <= {product}
    missed = [product not in theirs.candidates for product, theirs in zip(batch["product"], used, strict=True)]
    assert 0 < sum(missed) < len(missed), "the right product is not favoured in use"
    _, listed = ASKING(evidence_of(batch, ANSWERED), [[]] * 60, [None] * 60)
    for row, theirs in enumerate(used):
        likeliest = np.argsort(-listed[row, :-1], kind="stable")[:MOST]
        assert set(theirs.candidates) == {VOCABULARY.product_ids[place] for place in likeliest}


@given(seed=st.integers(0, 50), most=st.integers(2, 20), hard=st.integers(0, 6), epoch=st.integers(0, 3))
def test_the_right_product_and_hard_negatives_have_their_places(seed: int, most: int, hard: int, epoch: int) -> None:
    hard = min(hard, most - 1)
    asking = AskingQuestions(ASKING.shortlist, most, with_title=True)
    batch = charts(8, seed)
    questions = training_of(hard, epoch=epoch, asking=asking)(batch)
    for product, asked in zip(batch["product"], questions, strict=True):
        assert asked.candidates.count(product) == 1
        assert len(set(asked.candidates)) == len(asked.candidates) == min(most, len(PAIRS))
        assert in_order(asked.candidates)
        negatives = set(hard_negatives(product, VOCABULARY))
        assert len(negatives & set(asked.candidates)) >= min(hard, len(negatives))
    assert questions == training_of(hard, epoch=epoch, asking=asking)(batch)


def test_candidates_that_are_hard_negatives_already_take_those_places() -> None:
    """Then training lists what use lists, and no likelier product must give way."""
    batch = charts(60)
    for product, ours, theirs in zip(batch["product"], training_of(hard=1)(batch), in_use(batch), strict=True):
        if product in theirs.candidates and set(hard_negatives(product, VOCABULARY)) & set(theirs.candidates):
            assert ours.candidates == theirs.candidates


def test_the_answers_place_tells_nothing() -> None:
    """The right product stands wherever the vocabulary has it: at each place of the list."""
    batch = charts(200)
    places = Counter(asked.candidates.index(asked.answers[0]) for asked in training_of()(batch))
    assert set(places) == set(range(MOST))
    assert max(places.values()) < 0.5 * 200


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_share_of_training_goes_without_titles(share: float) -> None:
    batch = charts(300)
    asked = training_of(untitled=share)(batch)
    assert np.mean([row.title is None for row in asked]) == pytest.approx(share, abs=0.07)
    assert all(row.title in (None, title) for row, title in zip(asked, batch["title"], strict=True))
    again = training_of(untitled=share, epoch=1)(batch)
    assert share in (0, 1) or [row.title for row in again] != [row.title for row in asked]
    assert all(row.title == title for row, title in zip(in_use(batch), batch["title"], strict=True))
    silent = AskingQuestions(ASKING.shortlist, MOST, with_title=False)
    assert {row.title for row in (*in_use(batch, silent), *training_of(asking=silent)(batch))} == {None}


def test_elements_are_those_that_the_element_stage_would_have_found() -> None:
    """Here it always takes the second for the first. It has not learnt from a chart without labels: what it answers
    there is told, and never what the right product requires, which is the answer."""
    scores, shown = np.full((20, 6), 0.1, np.float32), np.zeros((20, 6), dtype=bool)
    scores[:10, 0], shown[:10, 1] = 0.9, True
    scores[10:, 2:], shown[10:, 2:] = 0.8, True
    detected = DetectedScores.fit(ELEMENTS, scores, scores > 0.5, shown)
    batch = {name: column[:2] for name, column in charts(2).items()}
    batch |= {"product": objects(["b", "c_d"]), "elements": objects([["b"], None])}
    found = training_of(detected=detected)(batch)
    assert "b" not in found[0].elements
    assert training_of(detected=None)(batch)[0].elements == ["b"]
    batch |= {f"{ANSWERED}elements": objects([["a"], ["f"]])}
    for known in (detected, None):
        silent, told = (training_of(hard=0, detected=known)({**batch, "product": objects(names)})[1]
                        for names in (["b", "c_d"], ["b", "a"]))  # fmt: skip
        assert silent.elements == told.elements == ["f"], "whichever product is right"
        assert set(silent.candidates) - {"c_d"} <= set(in_use(batch)[1].candidates)
    unasked = {name: column for name, column in batch.items() if not name.startswith(ANSWERED)}
    assert training_of(detected=detected)(unasked)[1].elements == []


SPECIAL = ["<end_of_turn>", "<start_of_image>", "<start_of_turn>model", "<bos>", "<pad>", "<image_soft_token>", "|"]


@given(title=st.lists(st.sampled_from([*SPECIAL, "500百帕", "\n", " ", "hPa", "<", "："]), max_size=60).map("".join))
def test_a_strangers_title_is_harmless_in_the_prompt(title: str, base, vocabulary) -> None:
    encoder = PromptEncoder(base.processor, vocabulary)
    plain, told = (encoder.encode_prompt(["wind"], ["wind_rose", "snow_depth"], words) for words in (None, title))
    special = {*base.processor.tokenizer.all_special_ids, encoder.end_of_turn, base.image_token}
    special |= {int(base.processor.tokenizer.convert_tokens_to_ids(name)) for name in ("<start_of_turn>",)}
    assert Counter(token for token in told if token in special) == Counter(token for token in plain if token in special)
    written = question(["wind"], ["wind_rose"], vocabulary, title)
    assert len(written) <= len(question(["wind"], ["wind_rose"], vocabulary, "x")) + LONGEST_TITLE
    assert written.count("|") == (3 if title.strip() else 2)
    assert "\n" not in written


def test_a_very_long_title_is_cut_and_an_empty_one_left_out(vocabulary) -> None:
    without = question([], ["wind_rose"], vocabulary)
    assert all(question([], ["wind_rose"], vocabulary, nothing) == without for nothing in ("", "  \n ", None))
    told = question([], ["wind_rose"], vocabulary, "风" * 5000)
    assert told == f"图上标题：{'风' * LONGEST_TITLE} | {without}"
    assert question([], ["wind_rose"], vocabulary, "<b>") == f"图上标题：{'<b>'.translate(HARMLESS)} | {without}"


def lists(values):
    return st.sampled_from([values, tuple(values), np.array(values, dtype=np.float32), None, float("nan")])


COLUMNS = {
    f"{ANSWERED}element_scores": lists([0.1, 0.9, 0.2, 0.3, 0.4, 0.5]),
    f"{ANSWERED}descriptors": lists([0.5] * FEATURES),
    "title": st.sampled_from(["a场", "", None, float("nan")]),
    "text": st.sampled_from(["a场\nb", "", None, float("nan")]),
}


@given(st.data())
def test_evidence_may_be_missing_in_any_mix(data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 4))
    batch = {name: column for name, column in charts(rows).items() if not name.startswith((ANSWERED, "t"))}
    there = data.draw(st.sets(st.sampled_from(list(COLUMNS))))
    there |= {"title", "text"} if there & {"title", "text"} else set()
    for name in there:
        nothing = data.draw(st.booleans())  # a column without any value comes out of Ray as NaN
        values = data.draw(st.lists(COLUMNS[name], min_size=rows, max_size=rows))
        batch[name] = np.full(rows, np.nan) if nothing else objects(values)
    evidence = evidence_of(batch, ANSWERED)
    assert evidence.rows == rows
    for name, part in (("element_scores", evidence.element_scores), ("descriptors", evidence.descriptors)):
        column = batch.get(ANSWERED + name, [None] * rows)
        known = [isinstance(value, list | tuple | np.ndarray) for value in column]
        assert (part is None) == (not any(known))
        assert part is None or (np.isfinite(part).all(axis=1) == known).all()
    questions, listed = ASKING(evidence, [[]] * rows, titles_of(batch))
    assert np.isfinite(listed).all()
    np.testing.assert_allclose(listed.sum(axis=1), 1, atol=1e-5)
    assert all(len(asked.candidates) == MOST and isinstance(asked.title, str | None) for asked in questions)
    assert all(len(asked.candidates) == MOST for asked in training_of()(batch))


def test_rows_without_labels_are_prepared_as_none_found(tmp_path) -> None:
    batch = charts(3) | {"elements": np.full(3, np.nan), f"{ANSWERED}elements": np.full(3, np.nan)}
    for ask in (ASKING, training_of()):
        found = PrepareQuestions(PreparePixels(tmp_path, 0, None, None, vocabulary=VOCABULARY), ask)(batch)
        questions = [Question.from_json(text) for text in found["question"]]
        assert [asked.elements for asked in questions] == [[], [], []]
        assert ("listed" in found) == (ask is ASKING)
        assert not found["ok"].any(), "no such file: a row, not an exception"


def test_a_question_survives_its_journey_as_json() -> None:
    asked = Question(["a"], ["a_b", "b"], ["b"], '标题 "<x>"')
    assert Question.from_json(asked.to_json()) == asked
