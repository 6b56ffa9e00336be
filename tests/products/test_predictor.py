"""The predictor on the untrained base model: columns, candidates, batches, and what it refuses."""

import itertools

import numpy as np
import pytest
import torch
from bitsandbytes.nn import Linear4bit

from meteo_ray import bundle
from meteo_ray.batch import Batch
from meteo_ray.errors import UsageError
from meteo_ray.judging.settings import CascadeSettings, JudgingJob
from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.bundle import ProductsCalibration, write_bundle
from meteo_ray.products.candidates import candidates
from meteo_ray.products.config import ProductsTraining
from meteo_ray.products.lora_adapter import add_adapter
from meteo_ray.products.predictor import ProductsPredictor
from meteo_ray.products.small_base import make_small_base
from meteo_ray.products.stage import PRODUCTS

from .conftest import TINY

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
    assert [next(iter(ranked)) for ranked in wide.beam_search(few)] == predictor(few)["product"].tolist()


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


@pytest.fixture(scope="module")
def many_bases(vocabulary, tmp_path_factory) -> list[GemmaBase]:
    folder = tmp_path_factory.mktemp("bases")
    for seed in range(5):
        make_small_base(folder / str(seed), vocabulary, TINY.model_copy(update={"seed": seed}))
    return [GemmaBase.open(folder / str(seed)) for seed in range(5)]


def test_three_beams_answer_three_candidates_as_exact_scores_do(many_bases, vocabulary) -> None:
    """Three answers never have more than three beginnings at once, so three beams lose none of them."""
    rng = np.random.default_rng(7)
    pairs = [list(pair) for pair in itertools.combinations(vocabulary.element_ids, 2)]
    questions = [pair for pair in pairs if len(candidates(pair, vocabulary)) == 3]
    assert len(questions) >= 10
    rows = 12
    elements = np.empty(rows, dtype=object)
    for base in many_bases:
        model = base.load_model()
        for row in range(rows):
            elements[row] = questions[rng.integers(len(questions))]
        images = rng.integers(0, 256, (rows, 32, 32, 3), dtype=np.uint8)
        exact, beam = (
            ProductsPredictor(
                model, base, vocabulary, kind, torch.device("cpu"), decoding=kind, precision="fp32", temperature=3.0
            )({"image": images, "elements": elements})
            for kind in ("exact", "beam")
        )
        assert beam["product"].tolist() == exact["product"].tolist()
        for ours, theirs in zip(beam["product_top"], exact["product_top"], strict=True):
            assert [entry["id"] for entry in ours] == [entry["id"] for entry in theirs]
            scores = [entry["score"] for entry in ours]
            assert scores == pytest.approx([entry["score"] for entry in theirs], abs=1e-4)


def test_a_beam_lists_what_it_found_best_first(predictor, batch, vocabulary) -> None:
    narrow = ProductsPredictor(
        predictor.model, predictor.base, vocabulary, "beam", predictor.device, decoding="beam", precision="fp32"
    )
    columns, exact = narrow(batch), predictor(batch)
    for row in range(len(ELEMENTS)):
        top = columns["product_top"][row]
        assert 1 <= len(top) <= min(3, len(exact["product_top"][row]))
        scores = [entry["score"] for entry in top]
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1.0)


def test_the_cascades_settings_reach_the_predictor(base_folder, vocabulary, tmp_path) -> None:
    base = GemmaBase.open(base_folder)
    model = base.load_model()
    add_adapter(model, rank=2, alpha=4)
    for folder, adaptation in (("lora", "lora"), ("full", "full")):
        config = ProductsTraining(
            base_model=str(base_folder), adaptation=adaptation, quantize="none", lora_rank=2, lora_alpha=4
        )
        with bundle.writing(tmp_path / folder) as scratch:
            weights = base.load_model() if adaptation == "full" else model
            write_bundle(scratch, weights, base, config, vocabulary, ProductsCalibration(1.0, 0))
    asked = CascadeSettings(products_decoding="beam", products_quantize="nf4", minimum_match=0.7)
    options = PRODUCTS.judging.given_options(JudgingJob(models=tmp_path, cascade=asked))
    loaded = PRODUCTS.judging.load(tmp_path / "lora", device="cpu", **options)
    assert (loaded.decoding, loaded.minimum_match) == ("beam", 0.7)
    assert any(isinstance(module, Linear4bit) for module in loaded.model.modules())
    plain = PRODUCTS.judging.given_options(JudgingJob(models=tmp_path))
    loaded = PRODUCTS.judging.load(tmp_path / "lora", device="cpu", **plain)
    assert loaded.decoding == "exact"
    assert not any(isinstance(module, Linear4bit) for module in loaded.model.modules())
    PRODUCTS.judging.check(tmp_path / "lora", **options)
    for refuses in (PRODUCTS.judging.check, PRODUCTS.judging.load):
        with pytest.raises(UsageError, match=r"leave --cascade\.products-quantize out"):
            refuses(tmp_path / "full", **options)
