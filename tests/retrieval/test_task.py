"""The task on the one loop: it learns, solves for its codes between epochs, resumes exactly, exports what it judges."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.numpy import load_file, save_file

from meteo_ray import bundle
from meteo_ray.batch import Batch
from meteo_ray.errors import UsageError
from meteo_ray.metrics.retrieval import mean_expected_average_precision, without_itself
from meteo_ray.retrieval.bundle import Background, read_bundle, write_bundle
from meteo_ray.retrieval.codes import hamming
from meteo_ray.retrieval.model import RetrievalDimensions, RetrievalModel
from meteo_ray.retrieval.predictor import RetrievalPredictor
from meteo_ray.retrieval.relevance import alike, classes_of, labelled
from meteo_ray.retrieval.stage import RETRIEVAL
from meteo_ray.retrieval.task import RetrievalTask
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.streaming.pixels import PreparePixels
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.loop import TrainingRun
from meteo_ray.training.task import Prepare
from tests.pictures import row_batch
from tests.retrieval.charts import SMALL, chart_index, vocabulary
from tests.training.line_task import FolderHost


def stream(rows: pa.Table, prepare: Prepare, batch_size: int) -> Iterator[Batch]:
    """`streaming.stream.stream` without Ray."""
    for start in range(0, rows.num_rows, batch_size):
        yield prepare(row_batch(rows.slice(start, batch_size)))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> tuple[Path, pa.Table]:
    folder = tmp_path_factory.mktemp("charts")
    return folder, chart_index(folder)


def make_run(data, folder: Path, host: FolderHost | None = None, loop: dict | None = None, **settings) -> TrainingRun:
    place, index = data
    task = RetrievalTask(SMALL.model_copy(update=settings), place, vocabulary())
    given = LoopSettings(batch_size=8, precision="fp32", patience=0, torch_threads=1, **(loop or {}))
    host = host or FolderHost(folder / "checkpoints")
    return TrainingRun(task, index, given, folder, host, stream, torch.device("cpu"))


@pytest.mark.parametrize("loss", ["pairwise", "pointwise"])
def test_it_learns_which_charts_are_alike(data, tmp_path, loss):
    run = make_run(data, tmp_path, loss=loss, epochs=8)
    finished = run.fit()
    means = [entry["validation/map"] for entry in finished.history]
    assert max(means) > 0.8  # a quarter of the others is alike: codes at random reach 0.3
    assert ("validation/solved_map" in finished.history[0]) == (loss == "pairwise")
    assert (run.model.database is None) == (loss == "pointwise")


def test_codes_are_solved_for_after_every_epoch(data, tmp_path):
    run = make_run(data, tmp_path, epochs=1)
    before = run.model.database.clone()
    before[:, 0] *= -1  # the codes to begin with are spoilt; the epoch mends them
    run.model.database.copy_(before)
    run.fit()
    assert run.model.database.dtype == torch.int8
    assert not torch.equal(run.model.database, before)


def test_an_averaged_model_is_kept_with_the_codes_that_were_solved_for(data, tmp_path):
    run = make_run(data, tmp_path, epochs=1, loop={"average_decay": 0.9})
    before = run.model.database.clone()
    finished = run.fit()
    assert finished.model is not run.model
    assert not torch.equal(run.model.database, before)
    assert torch.equal(finished.model.database, run.model.database)


def test_a_resumed_run_ends_like_an_uninterrupted_one(data, tmp_path):
    whole = make_run(data, tmp_path / "whole", epochs=3)
    history = whole.fit().history
    with pytest.raises(KeyboardInterrupt):
        make_run(data, tmp_path / "cut", FolderHost(tmp_path / "cut/checkpoints", stop_after=2), epochs=3).fit()
    resumed = make_run(data, tmp_path / "cut", epochs=3)
    again = resumed.fit().history
    assert [entry["train/loss"] for entry in again] == pytest.approx(
        [entry["train/loss"] for entry in history], rel=1e-4
    )
    assert torch.equal(resumed.model.database, whole.model.database)


def test_an_epoch_draws_a_sample_without_repetition(data):
    place, index = data
    task = RetrievalTask(SMALL.model_copy(update={"samples": 10}), place, vocabulary())
    rows = task.rows(index, TRAIN)
    first, second = task.order(rows, 0, None), task.order(rows, 1, None)
    assert len(set(first.tolist())) == 10
    assert set(first.tolist()) != set(second.tolist())
    assert not task.follows_losses(3)


@pytest.mark.parametrize("relevance", ["products", "elements"])
def test_the_bundle_answers_what_was_measured(data, tmp_path, relevance):
    place, index = data
    run = make_run(data, tmp_path / "run", relevance=relevance)
    finished = run.fit()
    with bundle.writing(tmp_path / "retrieval") as folder:
        measured = run.task.export(finished.model, finished.outputs, folder)
    assert set(measured) == {"map", "solved_map"}
    assert "database" not in bundle.read_weights(tmp_path / "retrieval")

    predictor = RetrievalPredictor.load(tmp_path / "retrieval", "cpu", precision="fp32")
    rows = labelled(index, VALIDATION, relevance)
    found = predictor(PreparePixels(place, 0, None, None, vocabulary=vocabulary())(row_batch(rows)))
    codes = np.stack([np.frombuffer(code, np.uint8) for code in found["code"]])
    column = rows["product" if relevance == "products" else "elements"]
    classes = classes_of(column.to_pylist(), relevance, vocabulary())
    pairs = without_itself(hamming(codes, codes)), without_itself(alike(classes, classes))
    assert mean_expected_average_precision(*pairs) == pytest.approx(measured["map"])

    assert np.linalg.norm(found["features"], axis=1) == pytest.approx(1)
    background = predictor.background
    np.testing.assert_allclose(background.features, found["features"], atol=2e-3)
    # Whatever charts were compared by: examples ask for products.
    np.testing.assert_array_equal(
        background.products, classes_of(rows["product"].to_pylist(), "products", vocabulary())
    )
    assert background.names == vocabulary().product_ids
    nothing = predictor({"image": np.zeros((0, 240, 320, 3), np.uint8)})
    assert len(nothing["code"]) == 0
    assert nothing["features"].shape == (0, found["features"].shape[1])


def test_a_chart_compared_by_its_elements_need_not_be_of_a_known_product(data):
    place, index = data
    some = [name if number % 3 else None for number, name in enumerate(index["product"].to_pylist())]
    some[1] = "of_another_vocabulary"
    column = index.schema.get_field_index("product")
    task = RetrievalTask(SMALL.model_copy(update={"relevance": "elements"}), place, vocabulary())
    rows = task.rows(index.set_column(column, "product", pa.array(some)), TRAIN)
    batch = task.collate(row_batch(rows) | {"image": np.zeros((rows.num_rows, 2, 2, 3), np.uint8)})
    expected = [[name == product for product in vocabulary().product_ids] for name in rows["product"].to_pylist()]
    assert not any(expected[0]), "the first is not known"
    assert not any(expected[1]), "the second is not ours"
    np.testing.assert_array_equal(batch["products"].numpy(), expected)


@pytest.mark.parametrize("relevance", ["products", "elements"])
def test_of_bundles_that_kept_classes_alone_products_are_used_and_elements_are_not(tmp_path, relevance):
    dimensions = RetrievalDimensions.of(SMALL)
    names = vocabulary().product_ids if relevance == "products" else vocabulary().element_ids
    background = Background(np.eye(4, 512, dtype=np.float32), np.eye(4, len(names), dtype=bool), tuple(names))
    config = SMALL.model_copy(update={"relevance": relevance})
    with bundle.writing(tmp_path / "retrieval") as folder:
        tensors = RetrievalModel(dimensions).state_dict()
        write_bundle(folder, tensors, dimensions, config, vocabulary(), background)
        document = json.loads((folder / "config.json").read_text("utf-8"))
        document["classes"] = document.pop("products")
        (folder / "config.json").write_text(json.dumps(document), "utf-8")
        arrays = load_file(folder / "background.safetensors")
        save_file({"features": arrays["features"], "classes": arrays["products"]}, folder / "background.safetensors")
    found = read_bundle(tmp_path / "retrieval").background
    np.testing.assert_array_equal(found.features, background.features)
    if relevance == "products":
        np.testing.assert_array_equal(found.products, background.products)
        assert found.names == names
    else:
        assert not found.products.any()


def test_a_damaged_or_foreign_bundle_is_refused(data, tmp_path):
    run = make_run(data, tmp_path / "run", epochs=1)
    finished = run.fit()
    with bundle.writing(tmp_path / "retrieval") as folder:
        run.task.export(finished.model, finished.outputs, folder)
    (tmp_path / "retrieval" / "background.safetensors").write_bytes(b"nothing")
    with pytest.raises(UsageError, match=r"background.safetensors: damaged"):
        read_bundle(tmp_path / "retrieval")
    with pytest.raises(UsageError, match="no retrieval model here"):
        read_bundle(tmp_path / "elsewhere")


def test_data_without_what_charts_are_compared_by_is_refused(data):
    place, index = data
    unlabelled = index.set_column(
        index.schema.get_field_index("product"), "product", pa.nulls(index.num_rows, pa.string())
    )
    with pytest.raises(UsageError, match=r"0 charts with known products.*--retrieval.relevance elements"):
        RetrievalTask(SMALL, place, vocabulary()).rows(unlabelled, TRAIN)
    other = vocabulary().__class__(vocabulary().elements, vocabulary().products[:2])
    with pytest.raises(UsageError, match="'rain_and_wind' among its products, which the vocabulary lacks"):
        RetrievalTask(SMALL, place, other).rows(index, TRAIN)


def test_several_workers_are_refused_where_codes_are_solved_for(data):
    job = RETRIEVAL.job().with_values(**{"training.workers": 2})
    with pytest.raises(UsageError, match=r"--training\.workers 2"):
        RETRIEVAL.require(job, None)
    RETRIEVAL.require(job.with_values(**{"retrieval.loss": "pointwise"}), None)
    RETRIEVAL.require(RETRIEVAL.job(), None)
