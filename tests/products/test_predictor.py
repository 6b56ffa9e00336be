"""The predictor on the untrained base model: columns, candidates, batches, and what it refuses."""

import numpy as np
import pytest

from meteo_ray.batch import Batch
from meteo_ray.products.candidates import candidates
from meteo_ray.products.predictor import ProductsPredictor
from meteo_ray.products.stage import PRODUCTS

ELEMENTS = [["wind"], [{"id": "snow", "score": 0.9}, {"id": "precipitation", "score": 0.6}], [], ["temperature"]]


@pytest.fixture(scope="module")
def predictor(base_folder, vocabulary) -> ProductsPredictor:
    return ProductsPredictor.from_base(base_folder, vocabulary, device="cpu", precision="fp32", micro_batch=3)


@pytest.fixture
def batch(predictor: ProductsPredictor) -> Batch:
    width, height = predictor.image_size
    elements = np.empty(len(ELEMENTS), dtype=object)
    elements[:] = ELEMENTS
    images = np.random.default_rng(1).integers(0, 256, (len(ELEMENTS), height, width, 3), dtype=np.uint8)
    return {"image": images, "elements": elements}


def test_answers_are_candidates_ranked_by_confidence(predictor, batch, vocabulary) -> None:
    columns = predictor(batch)
    assert set(columns) == set(PRODUCTS.judging.columns.names)
    assert columns["product_score"].dtype == np.float32
    for row, ids in enumerate([["wind"], ["snow", "precipitation"], [], ["temperature"]]):
        top = columns["product_top"][row]
        scores = [entry["score"] for entry in top]
        possible = candidates(ids, vocabulary)
        assert len(top) == min(5, len(possible))
        assert {entry["id"] for entry in top} <= set(possible)
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) <= 1 + 1e-6
        assert columns["product"][row] == top[0]["id"]
        assert columns["product_score"][row] == pytest.approx(scores[0])


def test_log_likelihoods_give_the_same_ranking(predictor, batch) -> None:
    columns = predictor(batch)
    for row, scores in enumerate(predictor.log_likelihoods(batch)):
        assert max(scores, key=scores.__getitem__) == columns["product"][row]


def test_a_beam_as_wide_as_the_candidates_finds_the_same_answer(base_folder, vocabulary, predictor, batch) -> None:
    few = {name: column[[0, 1, 3]] for name, column in batch.items()}
    wide = ProductsPredictor(
        predictor.model, predictor.base, vocabulary, "wide", predictor.device, beam_width=20, precision="fp32"
    )
    assert [ranked[0] for ranked in wide.beam_search(few)] == predictor(few)["product"].tolist()


def test_a_wrong_temperature_changes_confidence_but_not_the_answer(predictor, batch, vocabulary) -> None:
    warm = ProductsPredictor(
        predictor.model, predictor.base, vocabulary, "warm", predictor.device, temperature=10.0, precision="fp32"
    )
    assert warm(batch)["product"].tolist() == predictor(batch)["product"].tolist()
    assert (warm(batch)["product_score"] < predictor(batch)["product_score"]).all()


def test_no_rows_give_no_rows(predictor, batch) -> None:
    assert all(len(column) == 0 for column in predictor({name: column[:0] for name, column in batch.items()}).values())


def test_images_of_another_size_are_refused(predictor, batch) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \(rows, 32, 32, 3\)"):
        predictor({**batch, "image": batch["image"][:, :-1]})
