"""Shortlist and language model weighed against each other, and from when on the shortlist is enough."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from meteo_ray.calibration.conditional_logit import ConditionalLogit
from meteo_ray.products.calibration import LEAST_CHARTS, Heard, ProductsCalibration
from meteo_ray.products.verdict import PRIOR, ProductsVerdict

PRODUCTS, CANDIDATES, NONE_SHARE = 8, 4, 0.1
NAMES = tuple(f"product_{number}" for number in range(PRODUCTS))


def heard_of(rows: int, seed: int = 0, listing: float = 1.5, speaking: float = 0.0) -> Heard:
    """Charts on which shortlist and language model favour the right product by so many standard deviations."""
    rng = np.random.default_rng(seed)
    target = rng.integers(PRODUCTS, size=rows)
    right = np.eye(PRODUCTS)[target]
    utilities = rng.normal(size=(rows, PRODUCTS)) + listing * right
    listed = softmax(np.hstack([utilities, np.full((rows, 1), -1.0)]), axis=1).astype(np.float32)
    said = (rng.normal(size=(rows, PRODUCTS)) + speaking * right).astype(np.float32) * 5
    likeliest = np.argsort(-listed[:, :-1], axis=1)[:, :CANDIDATES]
    log_likelihood = np.full((rows, PRODUCTS), -np.inf, dtype=np.float32)
    np.put_along_axis(log_likelihood, likeliest, np.take_along_axis(said, likeliest, axis=1), axis=1)
    return Heard(listed, log_likelihood, target)


def verdict_of(heard: Heard) -> ProductsVerdict:
    return ProductsVerdict.fit(heard.listed, heard.log_likelihood, heard.target, NONE_SHARE)


def answers_of(verdict: ProductsVerdict, heard: Heard) -> np.ndarray:
    return verdict.probabilities(heard.listed, heard.log_likelihood).argmax(axis=1)


def test_a_useless_language_model_is_hardly_heard() -> None:
    heard = heard_of(600)
    verdict = verdict_of(heard)
    assert verdict.formula.coefficients["language_model"] < 0.02
    assert verdict.formula.coefficients["shortlist"] > 0.5
    other = heard_of(600, seed=1)
    alone = np.mean(other.listed.argmax(axis=1) == other.target)
    assert np.mean(answers_of(verdict, other) == other.target) >= alone - 0.02


def test_a_language_model_that_knows_decides() -> None:
    heard, other = heard_of(600, listing=0.3, speaking=8.0), heard_of(600, seed=1, listing=0.3, speaking=8.0)
    asked = np.isfinite(other.log_likelihood[np.arange(600), other.target])
    assert 0.4 < asked.mean() < 0.9
    assert np.mean(answers_of(verdict_of(heard), other)[asked] == other.target[asked]) > 0.98


def test_probabilities_say_how_often_they_are_right() -> None:
    """A language model that is as sure as if it were right, and is not, is brought down."""
    verdict, other = verdict_of(heard_of(3000, speaking=0.6)), heard_of(3000, seed=1, speaking=0.6)
    probabilities = verdict.probabilities(other.listed, other.log_likelihood)[:, :-1]
    known = np.isfinite(other.log_likelihood[np.arange(3000), other.target])
    probabilities = probabilities[known] / probabilities[known].sum(axis=1, keepdims=True)
    right = probabilities.argmax(axis=1) == other.target[known]
    assert probabilities.max(axis=1).mean() == pytest.approx(right.mean(), abs=0.03)


@given(
    rows=st.integers(1, 6),
    seed=st.integers(0, 10**6),
    coefficients=st.tuples(st.floats(0, 3), st.floats(0, 3), st.floats(-5, 5)),
    scale=st.sampled_from([0.1, 1.0, 1e3]),
)
def test_each_row_is_a_distribution_over_candidates_and_none(rows, seed, coefficients, scale) -> None:
    rng = np.random.default_rng(seed)
    verdict = ProductsVerdict.from_json(dict(zip(PRIOR, coefficients, strict=True)))
    listed = rng.dirichlet(np.full(PRODUCTS + 1, 0.05), rows).astype(np.float32)
    candidates = rng.random((rows, PRODUCTS)) < rng.choice([0.0, 0.15, 0.6, 1.0], size=(rows, 1))
    said = np.where(candidates, -scale * rng.random((rows, PRODUCTS)), -np.inf).astype(np.float32)
    found = verdict.probabilities(listed, said)
    asked = candidates.any(axis=1)
    np.testing.assert_array_equal(found[~asked], listed[~asked])
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found[:, :-1][asked] * ~candidates[asked] == 0).all()
    for row in range(rows):  # what is said of a chart does not depend on those beside it
        np.testing.assert_allclose(verdict.probabilities(listed[[row]], said[[row]])[0], found[row], atol=1e-12)


def test_one_candidate_leaves_the_choice_to_the_shortlist() -> None:
    """Of it, or none: a language model that must choose it says nothing, however likely its words are."""
    listed = np.tile(np.full(PRODUCTS + 1, 0.1), (2, 1))
    listed[:, 2], listed[:, -1] = 0.3, 0.1
    said = np.full((2, PRODUCTS), -np.inf)
    said[:, 2] = [-1.0, -300.0]
    found = ProductsVerdict.untrained().probabilities(listed, said)
    np.testing.assert_allclose(found[0], found[1], atol=1e-12)
    assert found[0, 2] == pytest.approx(0.75)
    assert found[0, -1] == pytest.approx(0.25)


def test_a_product_that_is_taken_from_the_list_gives_none_more_weight() -> None:
    """The language model must choose one of the others; the shortlist has seen that nothing fits."""
    heard = heard_of(600, listing=4.0, speaking=2.0)
    verdict, rows = verdict_of(heard), np.arange(600)
    candidate = np.isfinite(heard.log_likelihood[rows, heard.target])
    listed, said = heard.listed[candidate].copy(), heard.log_likelihood[candidate].copy()
    rows, target = np.arange(len(listed)), heard.target[candidate]
    before = verdict.probabilities(listed, said)[:, -1]
    listed[rows, target], said[rows, target] = 0.0, -np.inf
    after = verdict.probabilities(listed / listed.sum(axis=1, keepdims=True), said)[:, -1]
    assert (after > before).all()
    assert after.mean() > 4 * before.mean()


def test_a_shortlist_that_leaves_nothing_to_chance_can_be_weighed() -> None:
    heard = heard_of(60)
    certain = np.eye(PRODUCTS + 1, dtype=np.float32)[heard.target]
    verdict = ProductsVerdict.fit(certain, heard.log_likelihood, heard.target, NONE_SHARE)
    assert verdict != ProductsVerdict.untrained(), "a fit that met no number stays where it began"
    assert all(np.isfinite(value) for value in verdict.formula.coefficients.values())
    candidate = np.isfinite(heard.log_likelihood[np.arange(60), heard.target])
    answers = verdict.probabilities(certain, heard.log_likelihood).argmax(axis=1)
    assert (answers[candidate] == heard.target[candidate]).all()


def test_charts_that_are_none_of_the_products_are_learnt_from() -> None:
    heard = heard_of(400)
    unknown = np.where(np.arange(400) < 100, -1, heard.target)
    listed = heard.listed.copy()
    listed[:100, -1] += 20
    listed /= listed.sum(axis=1, keepdims=True)
    verdict = ProductsVerdict.fit(listed, heard.log_likelihood, unknown, NONE_SHARE)
    answers = verdict.probabilities(listed, heard.log_likelihood).argmax(axis=1)
    assert np.mean(answers[:100] == PRODUCTS) > 0.95


def test_a_verdict_is_written_and_read() -> None:
    heard = heard_of(50)
    for verdict in (verdict_of(heard), ProductsVerdict.untrained(), ProductsVerdict.of_language_model()):
        assert ProductsVerdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict
    with pytest.raises(KeyError):
        ProductsVerdict.from_json({"shortlist": 1.0})


def test_without_a_language_model_there_is_nothing_to_ask_less() -> None:
    heard = heard_of(60)
    alone = Heard(heard.listed, np.full_like(heard.log_likelihood, -np.inf), heard.target)
    calibration = ProductsCalibration.fit(alone, NONE_SHARE)
    assert calibration.below is None
    metrics = calibration.metrics(alone, NAMES)
    assert metrics["top1"] == metrics["shortlist_top1"] == np.mean(alone.listed.argmax(axis=1) == alone.target)
    assert not {"language_model_top1", "candidate_recall"} & set(metrics)
    assert ProductsCalibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


def test_below_is_where_the_shortlist_is_as_good() -> None:
    """On the surer half of the charts the shortlist is always right; on the others it is wrong and the model is not."""
    rows, rng = 200, np.random.default_rng(2)
    target = rng.integers(PRODUCTS, size=rows)
    sure = np.where(np.arange(rows) < 100, rng.uniform(0.7, 0.95, rows), rng.uniform(0.3, 0.5, rows))
    first = np.where(np.arange(rows) < 100, target, (target + 1) % PRODUCTS)
    listed = np.tile(((1 - sure) / PRODUCTS)[:, None], (1, PRODUCTS + 1))
    listed[np.arange(rows), first] = sure
    said = np.where(np.eye(PRODUCTS)[target] > 0, -1.0, -30.0)
    calibration = ProductsCalibration.fit(Heard(listed, said, target), NONE_SHARE)
    assert calibration.below == pytest.approx(sure[:100].min())
    assert ProductsCalibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


def test_no_below_where_the_shortlist_is_never_as_good_or_charts_are_few() -> None:
    rows = 4 * LEAST_CHARTS
    target = np.arange(rows) % PRODUCTS
    said = np.where(np.eye(PRODUCTS)[target] > 0, -1.0, -30.0)
    wrong = np.full((rows, PRODUCTS + 1), 0.02)
    wrong[np.arange(rows), (target + 1) % PRODUCTS] = 0.84
    assert ProductsCalibration.fit(Heard(wrong, said, target), NONE_SHARE).below is None
    right = np.full((LEAST_CHARTS - 1, PRODUCTS + 1), 0.02)
    right[np.arange(len(right)), target[: len(right)]] = 0.84
    few = Heard(right, said[: len(right)], target[: len(right)])
    assert ProductsCalibration.fit(few, NONE_SHARE).below is None


def test_charts_of_which_the_shortlist_is_equally_sure_are_taken_together() -> None:
    """Right on the first, wrong on most: which come first among equals must not decide."""
    rows = 100
    target = np.zeros(rows, dtype=np.int64)
    listed = np.full((rows, PRODUCTS + 1), 0.05)
    listed[np.arange(rows), np.where(np.arange(rows) < LEAST_CHARTS, 0, 1)] = 0.6
    said = np.where(np.eye(PRODUCTS)[target] > 0, -1.0, -30.0)
    heard = Heard(listed, said, target)
    calibration = ProductsCalibration.fit(heard, NONE_SHARE)
    assert (calibration.verdict.probabilities(listed, said).argmax(axis=1) == target).all()
    assert calibration.below is None


def test_a_beam_that_lists_three_of_ten_candidates_does_not_favour_none() -> None:
    verdict = ProductsVerdict(ConditionalLogit({"shortlist": 0.0, "language_model": 1.0, "none": 0.0}))
    listed = np.full((1, 11), 1 / 11)
    said = np.full((1, 10), -np.inf)
    said[0, :3] = -1.0
    assert verdict.probabilities(listed, said, np.array([10]))[0, -1] < verdict.probabilities(listed, said)[0, -1]
