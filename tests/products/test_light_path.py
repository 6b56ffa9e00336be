"""The product stage without a language model: trained from answers and texts, used without any base, grown later."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from meteo_ray.batch import ANSWERED, Batch, objects
from meteo_ray.errors import UsageError
from meteo_ray.files import read_json
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.products.bundle import STAGE
from meteo_ray.products.config import NO_BASE, ProductsTraining, TrainProductsJob
from meteo_ray.products.light_path import fit_detected_scores, train_light_path
from meteo_ray.products.predictor import READS, ProductsPredictor
from meteo_ray.products.rows import EVIDENCE, product_rows
from meteo_ray.products.stage import PRODUCTS
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.text.table import texts_path
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.vocabulary import Product, Vocabulary

CONFIG = ProductsTraining(base_model=NO_BASE)


@pytest.fixture(scope="module")
def trained(answered_inputs: TaskInputs, tmp_path_factory) -> TaskInputs:
    inputs = replace(answered_inputs, models=tmp_path_factory.mktemp("light"))
    metrics = train_light_path(CONFIG, inputs)
    assert metrics == {
        name: value for name, value in read_json(inputs.models / STAGE / "metrics.json").items() if name in metrics
    }
    return inputs


@pytest.fixture(scope="module")
def charts(answered_inputs: TaskInputs) -> Batch:
    """The validation charts as an archive asks about them."""
    rows = product_rows(answered_inputs.index, VALIDATION, answered_inputs)
    width, height = INPUT_SIZE
    columns = {name.removeprefix(ANSWERED): objects(rows[name].to_pylist()) for name in EVIDENCE}
    return {**columns, "image": np.zeros((rows.num_rows, height, width, 3), np.uint8)}


def test_a_bundle_without_a_language_model_answers_without_any_base(trained, answered_inputs, charts) -> None:
    predictor = ProductsPredictor.load(trained.models / STAGE, device="cpu")
    assert predictor.language_model is None
    assert predictor.below is None
    assert predictor.image_size == (320, 240)
    columns = predictor(charts)
    assert not predictor.needs_pixels
    blank = predictor({**charts, "image": np.zeros((len(columns["product"]), 1, 1, 3), np.uint8)})
    np.testing.assert_array_equal(blank["product_listed"], columns["product_listed"])
    right = product_rows(answered_inputs.index, VALIDATION, answered_inputs)["product"].to_pylist()
    assert columns["product"].tolist() == right
    assert columns["product"].tolist() == columns["product_alone"].tolist()
    assert not columns["product_asked"].any()
    np.testing.assert_allclose(columns["product_score"], columns["product_sure"], rtol=1e-6)
    assert all(len(names) == CONFIG.candidates for names in columns["product_candidates"])
    for answer, score, top in zip(columns["product"], columns["product_score"], columns["product_top"], strict=True):
        assert (top[0]["id"], top[0]["score"]) == (answer, pytest.approx(float(score), rel=1e-6))
        assert 0 < score <= 1
    assert set(READS) == {name.removeprefix(ANSWERED) for name in EVIDENCE}


def test_its_metrics_are_those_of_the_shortlist_and_its_bundle_is_whole(trained) -> None:
    folder = trained.models / STAGE
    metrics = read_json(folder / "metrics.json")
    assert metrics["top1"] == metrics["shortlist_top1"] >= 0.6  # cross-fitted on six charts, some of which tell nothing
    assert "language_model_top1" not in metrics
    assert not (folder / "weights.safetensors").exists()
    document = read_json(folder / "config.json")
    assert document["base"] is None
    assert document["image_size"] == list(INPUT_SIZE)
    assert read_json(folder / "calibration.json")["below"] is None
    with pytest.raises(UsageError, match=r"has no language model: .*--products\.base-model none"):
        ProductsPredictor.zero_shot_of(folder)
    PRODUCTS.judging.check(folder, quantize="nf4")
    (folder / "shortlist.json").rename(folder / "shortlist.away")
    try:
        with pytest.raises(UsageError):
            ProductsPredictor.load(folder, device="cpu")
    finally:
        (folder / "shortlist.away").rename(folder / "shortlist.json")


def test_a_product_that_was_appended_is_the_answer_when_the_title_names_it(trained, vocabulary, charts) -> None:
    new = Product(id="meteor_map", zh="流星雨观测图", en="meteor shower observations", elements="any")
    grown = Vocabulary(vocabulary.elements, (*vocabulary.products, new))
    predictor = ProductsPredictor.load(trained.models / STAGE, "cpu", grown)
    titles = [new.zh, new.en, *charts["title"][2:]]
    texts = [f"{title}\n中央气象台" if title else None for title in titles]
    columns = predictor({**charts, "title": objects(titles), "text": objects(texts)})
    assert columns["product"][:2].tolist() == [new.id] * 2
    assert new.id not in columns["product"][2:].tolist()


def test_a_chart_of_which_nothing_is_known_is_answered_too(trained, charts) -> None:
    predictor = ProductsPredictor.load(trained.models / STAGE, device="cpu")
    columns = predictor({"image": charts["image"]})
    assert (columns["product_score"] < 0.5).all()
    unknown = {name: objects([None] * len(charts["image"])) for name in READS}
    assert predictor({**unknown, "image": charts["image"]})["product"].tolist() == columns["product"].tolist()


def test_without_answers_and_texts_it_still_trains(inputs, tmp_path) -> None:
    """Then nothing tells the products apart, and it says so."""
    metrics = train_light_path(CONFIG, replace(inputs, models=tmp_path))
    assert metrics["top1"] < 1
    assert ProductsPredictor.load(tmp_path / STAGE, device="cpu").language_model is None


def test_the_stage_trains_without_a_network_where_the_settings_say_so(answered_inputs, tmp_path) -> None:
    here = replace(answered_inputs, models=tmp_path)
    assert PRODUCTS.at_once(TrainProductsJob()) is None
    metrics = PRODUCTS.at_once(TrainProductsJob(products=CONFIG))(here)
    assert {"top1", "ece", "shortlist_top1"} <= set(metrics)
    assert (tmp_path / STAGE / "SHA256SUMS").is_file()


def test_a_folder_that_is_no_bundle_is_left_alone(answered_inputs, tmp_path) -> None:
    (tmp_path / STAGE).mkdir()
    (tmp_path / STAGE / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError):
        train_light_path(CONFIG, replace(answered_inputs, models=tmp_path))
    assert [path.name for path in tmp_path.rglob("*")] == [STAGE, "thesis.txt"]


def test_the_element_stages_errors_are_learnt_where_it_answered(answered_inputs, inputs, vocabulary) -> None:
    validation = product_rows(answered_inputs.index, VALIDATION, answered_inputs)
    detected = fit_detected_scores(validation, vocabulary)
    assert detected.element_ids == vocabulary.element_ids
    labelled = [
        scores is not None and elements is not None
        for scores, elements in zip(
            validation[f"{ANSWERED}element_scores"].to_pylist(), validation["elements"].to_pylist(), strict=True
        )
    ]
    assert 0 < sum(labelled) < validation.num_rows
    assert sum(map(len, detected.pooled)) == sum(labelled) * len(vocabulary.element_ids)
    assert fit_detected_scores(product_rows(inputs.index, VALIDATION, inputs), vocabulary) is None


def test_rows_hold_what_is_known_beside_the_pixels(answered_inputs, inputs) -> None:
    rows = product_rows(answered_inputs.index, TRAIN, answered_inputs)
    assert rows.num_rows == 8
    assert rows.column_names == ["image_id", "path", "sha256", "product", "elements", *EVIDENCE]
    assert {title is None for title in rows["title"].to_pylist()} == {True, False}
    bare = product_rows(inputs.index, TRAIN, inputs)
    assert bare.column_names == ["image_id", "path", "sha256", "product", "elements", "title", "text"]
    assert bare["text"].null_count == bare.num_rows


def test_unusable_rows_are_named(answered_inputs, vocabulary, tmp_path) -> None:
    index = answered_inputs.index
    with pytest.raises(UsageError, match=r"the test split has no row with a product; .*prepare_data\.py --split-by"):
        product_rows(index, "test", answered_inputs)
    fewer = Vocabulary(vocabulary.elements, tuple(p for p in vocabulary.products if p.id[:4] not in ("snow", "ligh")))
    missing = replace(answered_inputs, vocabulary=fewer)
    with pytest.raises(UsageError, match=r"lacks: lightning_density, snow_depth; run jobs/prepare_data\.py again"):
        product_rows(index, TRAIN, missing)
    with pytest.raises(UsageError, match="lacks: lightning_density, snow_depth"):
        train_light_path(CONFIG, replace(missing, models=tmp_path))
    path = texts_path(tmp_path, tmp_path)
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(UsageError, match=r"texts\.parquet: cannot be read"):
        product_rows(index, TRAIN, replace(answered_inputs, index_folder=tmp_path))
    assert list(tmp_path.iterdir()) == [path]


def test_a_column_of_products_may_be_empty(inputs) -> None:
    place = inputs.index.column_names.index("product")
    nothing = inputs.index.set_column(place, "product", pa.nulls(inputs.index.num_rows, pa.string()))
    with pytest.raises(UsageError, match="the train split has no row with a product"):
        product_rows(nothing, TRAIN, inputs)
