"""The product stage in training: rows, questions, loss, a short run, and the bundle that comes out."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from meteo_ray import bundle
from meteo_ray.batch import Batch
from meteo_ray.errors import UsageError
from meteo_ray.files import write_json
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.imaging.load import load_image
from meteo_ray.products.config import ProductsTraining
from meteo_ray.products.predictor import ProductsPredictor
from meteo_ray.products.questions import Question
from meteo_ray.products.task import ProductsTask
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.training.task import Progress
from meteo_ray.vocabulary import Vocabulary

START = Progress(epoch=0, step=0, fraction=0.0)


def task_of(
    base_folder: Path, data: Path, vocabulary: Vocabulary, adaptation: str, quantize: str, **settings: object
) -> ProductsTask:
    config = ProductsTraining(
        base_model=str(base_folder),
        adaptation=adaptation,
        quantize=quantize,
        augmentation=AugmentConfig(enabled=False),
        lora_dropout=0.0,
        learning_rate=1e-2,
        **settings,
    )
    return ProductsTask(config, data, vocabulary)


def object_array(values: list) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def prepared(task: ProductsTask, index: pa.Table, split: str, epoch: int = 0) -> Batch:
    rows = task.rows(index, split)
    columns = {name: object_array(rows[name].to_pylist()) for name in rows.column_names}
    return task.prepare(split, epoch)(columns)


def questions_of(batch: Batch) -> list[Question]:
    return [Question.from_json(text) for text in batch["question"]]


def train(task: ProductsTask, model: torch.nn.Module, batch: dict[str, torch.Tensor], steps: int) -> list[float]:
    groups = task.parameter_groups(model)
    parameters = [p for g in groups.values() for p in (g.parameters() if isinstance(g, torch.nn.Module) else g)]
    optimizer = torch.optim.AdamW(parameters, lr=task.config.learning_rate)
    model.train()
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = task.loss(model, batch, START).total
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    model.eval()
    return losses


def validation_outputs(task: ProductsTask, model: torch.nn.Module, batch: Batch) -> Batch:
    with torch.inference_mode():
        return task.outputs(model, task.collate(batch))


def test_only_rows_with_a_product_are_used(base_folder, data, vocabulary, index) -> None:
    task = task_of(base_folder, data, vocabulary, "full", "none")
    assert task.rows(index, TRAIN).num_rows == 8
    assert task.rows(index, VALIDATION).num_rows == 6
    with pytest.raises(UsageError, match="test split has no row with a product"):
        task.rows(index, "test")


def test_an_index_with_foreign_products_is_refused(base_folder, data, vocabulary, index) -> None:
    fewer = Vocabulary(vocabulary.elements, tuple(p for p in vocabulary.products if p.id != "snow_depth"))
    with pytest.raises(UsageError, match="lacks: snow_depth"):
        task_of(base_folder, data, fewer, "full", "none").rows(index, TRAIN)


def test_every_epoch_draws_every_row_once_in_another_order(base_folder, data, vocabulary, index) -> None:
    task = task_of(base_folder, data, vocabulary, "full", "none")
    rows = task.rows(index, TRAIN)
    first, second = task.order(rows, 0, None), task.order(rows, 1, None)
    assert sorted(first) == sorted(second) == list(range(8))
    assert first.tolist() != second.tolist()
    assert first.tolist() == task.order(rows, 0, None).tolist()


def test_training_asks_for_the_right_product_among_others_anew_in_every_epoch(
    base_folder, data, vocabulary, index
) -> None:
    task = task_of(base_folder, data, vocabulary, "full", "none")
    batch = prepared(task, index, TRAIN)
    assert batch["ok"].all()
    assert batch["image"].shape == (8, 32, 32, 3)
    for product, asked in zip(batch["product"], questions_of(batch), strict=True):
        assert asked.answers == [product]
        assert product in asked.candidates
        assert len(asked.candidates) <= task.config.maximum_candidates
    assert max(len(asked.candidates) for asked in questions_of(batch)) > 2
    assert questions_of(prepared(task, index, TRAIN)) == questions_of(batch)
    assert questions_of(prepared(task, index, TRAIN, epoch=1)) != questions_of(batch)


def test_validation_asks_as_the_cascade_does(base_folder, data, vocabulary, index) -> None:
    task = task_of(base_folder, data, vocabulary, "full", "none")
    batch = prepared(task, index, VALIDATION)
    for elements, asked in zip(batch["elements"], questions_of(batch), strict=True):
        assert asked.elements == (elements or [])
        assert asked.answers == asked.candidates
        assert len(asked.answers) == len(vocabulary.products) or elements
    assert questions_of(prepared(task, index, VALIDATION, epoch=3)) == questions_of(batch)


def test_what_stops_and_calibrates_sees_images_as_they_are(base_folder, data, vocabulary, index) -> None:
    task = task_of(base_folder, data, vocabulary, "full", "none")
    altering = {"augmentation": AugmentConfig(title_share=1.0, noise_share=1.0)}
    task = ProductsTask(task.config.model_copy(update=altering), data, vocabulary)
    assert all("title" in text for text in prepared(task, index, TRAIN)["augmented"])
    validation = prepared(task, index, VALIDATION)
    assert set(validation["augmented"]) == {"{}"}
    for image, path in zip(validation["image"], validation["path"], strict=True):
        np.testing.assert_array_equal(image, load_image(data / path, task.base.image_size).pixels)


def test_the_loss_is_the_answers_total_log_likelihood(base_folder, data, vocabulary, index) -> None:
    """Against cross-entropy over the answer's tokens alone, from the library's own forward pass."""
    task = task_of(base_folder, data, vocabulary, "full", "none")
    batch = prepared(task, index, TRAIN)
    model = task.build().eval()
    with torch.no_grad():
        loss = task.loss(model, task.collate(batch), START)
    assert float(loss.total) == pytest.approx(float(loss.rows.mean()))
    assert set(loss.parts) == {"answer_loss"}
    for row, asked in enumerate(questions_of(batch)):
        expected = -reference(task, model, batch, row, asked, asked.answers[0])
        assert float(loss.rows[row]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", ["candidates", "both"])
def test_the_candidates_loss_compares_the_listed_products(kind: str, base_folder, data, vocabulary, index) -> None:
    """Against the softmax in float64 over the candidates' log-likelihoods, each from a forward pass of its own."""
    task = task_of(base_folder, data, vocabulary, "full", "none", loss=kind)
    batch = prepared(task, index, TRAIN)
    batch = {name: column[:5] for name, column in batch.items()}
    model = task.build().eval()
    with torch.no_grad():
        loss = task.loss(model, task.collate(batch), START)
    assert len({len(asked.candidates) for asked in questions_of(batch)}) > 1
    for row, asked in enumerate(questions_of(batch)):
        scores = np.array([reference(task, model, batch, row, asked, name) for name in asked.candidates])
        right = scores[asked.candidates.index(asked.answers[0])]
        expected = np.logaddexp.reduce(scores) - right - (right if kind == "both" else 0.0)
        assert float(loss.rows[row]) == pytest.approx(expected, abs=2e-4)
    assert float(loss.total) == pytest.approx(float(sum(loss.parts.values())), rel=1e-6)
    assert ("answer_loss" in loss.parts) == (kind == "both")


def reference(task: ProductsTask, model: torch.nn.Module, batch: Batch, row: int, asked: Question, name: str) -> float:
    """Log-likelihood in float64 of one answer, prompt and answer in one sequence through the library's own masks."""
    prompt = task._encoder.encode_prompt(asked.elements, asked.candidates)
    answer = task._encoder.encode_answer(name)
    ids = torch.tensor([prompt + answer])
    pixels = task.base.pixel_values(torch.from_numpy(batch["image"][row : row + 1]))
    inputs = {"attention_mask": torch.ones_like(ids), "token_type_ids": (ids == task.base.image_token).long()}
    with torch.no_grad():
        logits = model(input_ids=ids, pixel_values=pixels, **inputs).logits[0, len(prompt) - 1 : -1]
    return -float(torch.nn.functional.cross_entropy(logits.double(), torch.tensor(answer), reduction="sum"))


@pytest.mark.parametrize(("adaptation", "quantize"), [("full", "none"), ("lora", "nf4"), ("lora", "none")])
def test_training_bundle_and_predictor_agree(
    adaptation: str, quantize: str, base_folder, data, vocabulary, index, tmp_path
) -> None:
    task = task_of(base_folder, data, vocabulary, adaptation, quantize)
    model = task.build()
    losses = train(task, model, task.collate(prepared(task, index, TRAIN)), steps=12)
    assert losses[-1] < 0.8 * losses[0]
    trained = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert trained
    assert trained <= set(task.state(model))
    assert adaptation == "full" or all(".lora_" in name and "language_model" in name for name in trained)

    validation = prepared(task, index, VALIDATION)
    outputs = validation_outputs(task, model, validation)
    folder = tmp_path / "products"
    with bundle.writing(folder) as scratch:
        metrics = task.export(model, outputs, scratch)
        write_json(scratch / bundle.METRICS, metrics)
    assert {"top1", "top3", "top5", "ece", "candidate_recall"} <= set(metrics)

    predictor = ProductsPredictor.load(folder, device="cpu", precision="fp32", micro_batch=4)
    assert predictor.image_size == (32, 32)
    for row, scores in enumerate(predictor.log_likelihoods(validation)):
        for product, score in scores.items():
            expected = outputs["log_likelihood"][row, vocabulary.product_ids.index(product)]
            assert score == pytest.approx(float(expected), abs=1e-3 if quantize == "none" else 0.1)

    untrained = ProductsPredictor.zero_shot_of(folder, vocabulary, device="cpu", precision="fp32")
    start = validation_outputs(task, task.build().eval(), validation)["log_likelihood"]
    for row, scores in enumerate(untrained.log_likelihoods(validation)):
        expected = [float(start[row, vocabulary.product_ids.index(product)]) for product in scores]
        assert list(scores.values()) == pytest.approx(expected, abs=1e-3 if quantize == "none" else 0.1)


def test_a_checkpoint_restores_the_model(base_folder, data, vocabulary, index) -> None:
    task = task_of(base_folder, data, vocabulary, "lora", "none")
    model = task.build()
    batch = task.collate(prepared(task, index, TRAIN))
    train(task, model, batch, steps=3)
    state = {name: tensor.clone() for name, tensor in task.state(model).items()}
    other = task.build().eval()

    def loss_of(judged: torch.nn.Module) -> float:
        return float(task.loss(judged, batch, START).total.detach())

    assert loss_of(other) != pytest.approx(loss_of(model))
    task.load_state(other, state)
    assert loss_of(other) == pytest.approx(loss_of(model))
    with pytest.raises(UsageError, match="do not fit the base model"):
        task.load_state(other, dict(list(state.items())[1:]))


def test_metrics_count_a_product_that_was_no_candidate_as_a_miss(base_folder, data, vocabulary) -> None:
    task = task_of(base_folder, data, vocabulary, "full", "none")
    scores = np.full((4, len(vocabulary.products)), -np.inf, dtype=np.float32)
    scores[:, :3] = [[-1, -2, -3], [-2, -1, -3], [-3, -2, -1], [-1, -1.5, -9]]
    metrics = task.metrics({"log_likelihood": scores, "target": np.array([0, 0, 0, 7])})
    assert metrics["top1"] == 0.25
    assert metrics["top3"] == 0.75
    assert metrics["top5"] == 0.75
    assert metrics["candidate_recall"] == 0.75
