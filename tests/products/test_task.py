"""The product stage in training: rows, questions, loss, a short run, and the bundle that comes out."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from meteo_ray import bundle
from meteo_ray.batch import ANSWERED, Batch, objects
from meteo_ray.errors import UsageError
from meteo_ray.files import write_json
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.imaging.load import load_image
from meteo_ray.products.config import ProductsTraining
from meteo_ray.products.predictor import ProductsPredictor
from meteo_ray.products.questions import LISTED, Question, evidence_of
from meteo_ray.products.task import ProductsTask
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.training.task import Progress
from meteo_ray.vocabulary import Vocabulary, element_ids

START = Progress(epoch=0, step=0, fraction=0.0)


def task_of(base_folder, inputs: TaskInputs, adaptation: str, quantize: str, **settings: object) -> ProductsTask:
    """A task that has seen its rows and fitted what chooses the candidates, as the loop sees to."""
    config = ProductsTraining(
        base_model=str(base_folder),
        adaptation=adaptation,
        quantize=quantize,
        augmentation=AugmentConfig(enabled=False),
        lora_dropout=0.0,
        learning_rate=1e-2,
        **settings,
    )
    return begun(ProductsTask(config, inputs))


def begun(task: ProductsTask) -> ProductsTask:
    for split in (TRAIN, VALIDATION):
        task.rows(task.inputs.index, split)
    task.before_training(lambda label, prepare: {})
    return task


def prepared(task: ProductsTask, split: str, epoch: int = 0) -> Batch:
    rows = task.rows(task.inputs.index, split)
    return task.prepare(split, epoch)({name: objects(rows[name].to_pylist()) for name in rows.column_names})


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


def test_only_rows_with_a_product_are_used(base_folder, inputs) -> None:
    task = task_of(base_folder, inputs, "full", "none")
    assert task.rows(inputs.index, TRAIN).num_rows == 8
    assert task.rows(inputs.index, VALIDATION).num_rows == 6
    with pytest.raises(UsageError, match="test split has no row with a product"):
        task.rows(inputs.index, "test")


def test_an_index_with_foreign_products_is_refused(base_folder, inputs, vocabulary) -> None:
    fewer = Vocabulary(vocabulary.elements, tuple(p for p in vocabulary.products if p.id != "snow_depth"))
    with pytest.raises(UsageError, match="lacks: snow_depth"):
        task_of(base_folder, replace(inputs, vocabulary=fewer), "full", "none")


def test_every_epoch_draws_every_row_once_in_another_order_unless_balanced(base_folder, inputs) -> None:
    task = task_of(base_folder, inputs, "full", "none", balance=0)
    rows = task.rows(inputs.index, TRAIN)
    first, second = task.order(rows, 0, None), task.order(rows, 1, None)
    assert sorted(first) == sorted(second) == list(range(8))
    assert first.tolist() != second.tolist()
    assert first.tolist() == task.order(rows, 0, None).tolist()


@pytest.mark.parametrize(("balance", "share"), [(1.0, 0.5), (0.5, 0.25)])
def test_rare_products_come_more_often_as_balance_says(balance: float, share: float, base_folder, inputs) -> None:
    """Nine charts of one product, one of another: weights 1/9 and 1, or 1/3 and 1."""
    task = task_of(base_folder, inputs, "full", "none", balance=balance)
    rows = pa.table({"product": ["snow_depth"] * 9 + ["lightning_density"]})
    orders = [task.order(rows, epoch, None) for epoch in range(400)]
    assert all(len(order) == 10 and order.dtype == np.int64 for order in orders)
    assert np.mean(np.concatenate(orders) == 9) == pytest.approx(share, abs=0.03)
    assert orders[0].tolist() == task.order(rows, 0, None).tolist() != orders[1].tolist()


def test_training_asks_for_the_right_product_among_others_anew_in_every_epoch(base_folder, answered_inputs) -> None:
    task = task_of(base_folder, answered_inputs, "full", "none", untitled_share=0.5)
    batch = prepared(task, TRAIN)
    assert batch["ok"].all()
    assert batch["image"].shape == (8, 32, 32, 3)
    for product, asked in zip(batch["product"], questions_of(batch), strict=True):
        assert asked.answers == [product]
        assert product in asked.candidates
        assert len(asked.candidates) == task.config.candidates
    assert questions_of(prepared(task, TRAIN)) == questions_of(batch)
    assert questions_of(prepared(task, TRAIN, epoch=1)) != questions_of(batch)


@pytest.mark.parametrize("known", ["inputs", "answered_inputs"])
def test_validation_asks_as_the_cascade_does(known: str, base_folder, request) -> None:
    task = task_of(base_folder, request.getfixturevalue(known), "full", "none")
    batch = prepared(task, VALIDATION)
    answered = batch.get(f"{ANSWERED}elements", [None] * len(batch["image_id"]))
    for elements, title, asked in zip(answered, batch["title"], questions_of(batch), strict=True):
        assert asked.elements == element_ids(elements)
        assert asked.answers == asked.candidates
        assert len(asked.answers) == task.config.candidates
        assert asked.title == title
    assert questions_of(prepared(task, VALIDATION, epoch=3)) == questions_of(batch)
    np.testing.assert_allclose(batch[LISTED].sum(axis=1), 1, atol=1e-5)


def test_candidates_come_from_what_was_learnt_of_elements_and_texts(base_folder, answered_inputs, vocabulary) -> None:
    task = task_of(base_folder, answered_inputs, "full", "none")
    batch = prepared(task, VALIDATION)
    answers = [vocabulary.product_ids[best] for best in batch[LISTED].argmax(axis=1)]
    assert answers == batch["product"].tolist()
    assert task._detected is not None


def test_what_stops_and_calibrates_sees_images_as_they_are(base_folder, inputs) -> None:
    task = task_of(base_folder, inputs, "full", "none")
    altering = {"augmentation": AugmentConfig(title_share=1.0, noise_share=1.0)}
    task = begun(ProductsTask(task.config.model_copy(update=altering), inputs))
    assert all("title" in text for text in prepared(task, TRAIN)["augmented"])
    validation = prepared(task, VALIDATION)
    assert set(validation["augmented"]) == {"{}"}
    for image, path in zip(validation["image"], validation["path"], strict=True):
        np.testing.assert_array_equal(image, load_image(inputs.data / path, task.base.image_size).pixels)


def test_the_loss_is_the_answers_total_log_likelihood(base_folder, answered_inputs) -> None:
    """Against cross-entropy over the answer's tokens alone, from the library's own forward pass."""
    task = task_of(base_folder, answered_inputs, "full", "none")
    batch = prepared(task, TRAIN)
    assert len({asked.title is None for asked in questions_of(batch)}) == 2
    model = task.build().eval()
    with torch.no_grad():
        loss = task.loss(model, task.collate(batch), START)
    assert float(loss.total) == pytest.approx(float(loss.rows.mean()))
    assert set(loss.parts) == {"answer_loss"}
    for row, asked in enumerate(questions_of(batch)):
        expected = -reference(task, model, batch, row, asked, asked.answers[0])
        assert float(loss.rows[row]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("kind", ["candidates", "both"])
def test_the_candidates_loss_compares_the_listed_products(kind: str, base_folder, answered_inputs) -> None:
    """Against the softmax in float64 over the candidates' log-likelihoods, each from a forward pass of its own."""
    task = task_of(base_folder, answered_inputs, "full", "none", loss=kind, candidates=4)
    batch = prepared(task, TRAIN)
    batch = {name: column[:5] for name, column in batch.items()}
    model = task.build().eval()
    with torch.no_grad():
        loss = task.loss(model, task.collate(batch), START)
    assert {len(asked.candidates) for asked in questions_of(batch)} == {4}
    for row, asked in enumerate(questions_of(batch)):
        scores = np.array([reference(task, model, batch, row, asked, name) for name in asked.candidates])
        right = scores[asked.candidates.index(asked.answers[0])]
        expected = np.logaddexp.reduce(scores) - right - (right if kind == "both" else 0.0)
        assert float(loss.rows[row]) == pytest.approx(expected, abs=2e-4)
    assert float(loss.total) == pytest.approx(float(sum(loss.parts.values())), rel=1e-6)
    assert ("answer_loss" in loss.parts) == (kind == "both")


def reference(task: ProductsTask, model: torch.nn.Module, batch: Batch, row: int, asked: Question, name: str) -> float:
    """Log-likelihood in float64 of one answer, prompt and answer in one sequence through the library's own masks."""
    prompt = task._encoder.encode_prompt(asked.elements, asked.candidates, asked.title)
    answer = task._encoder.encode_answer(name)
    ids = torch.tensor([prompt + answer])
    pixels = task.base.pixel_values(torch.from_numpy(batch["image"][row : row + 1]))
    inputs = {"attention_mask": torch.ones_like(ids), "token_type_ids": (ids == task.base.image_token).long()}
    with torch.no_grad():
        logits = model(input_ids=ids, pixel_values=pixels, **inputs).logits[0, len(prompt) - 1 : -1]
    return -float(torch.nn.functional.cross_entropy(logits.double(), torch.tensor(answer), reduction="sum"))


@pytest.mark.parametrize(("adaptation", "quantize"), [("full", "none"), ("lora", "nf4"), ("lora", "none")])
def test_training_bundle_and_predictor_agree(
    adaptation: str, quantize: str, base_folder, answered_inputs, vocabulary, tmp_path
) -> None:
    task = task_of(base_folder, answered_inputs, adaptation, quantize)
    model = task.build()
    losses = train(task, model, task.collate(prepared(task, TRAIN)), steps=12)
    assert losses[-1] < 0.8 * losses[0]
    trained = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert trained
    assert trained <= set(task.state(model))
    assert adaptation == "full" or all(".lora_" in name and "language_model" in name for name in trained)

    validation = prepared(task, VALIDATION)
    outputs = validation_outputs(task, model, validation)
    folder = tmp_path / "products"
    with bundle.writing(folder) as scratch:
        metrics = task.export(model, outputs, scratch)
        write_json(scratch / bundle.METRICS, metrics)
    assert {"top1", "top3", "top5", "ece", "candidate_recall", "shortlist_top1", "language_model_top1"} <= set(metrics)
    assert "below" in metrics

    close = 1e-3 if quantize == "none" else 0.1
    predictor = ProductsPredictor.load(folder, device="cpu", precision="fp32", micro_batch=4)
    assert predictor.image_size == (32, 32)
    require_same_answers(predictor, validation, outputs["log_likelihood"], close)
    columns = predictor(as_an_archive_asks(validation))
    assert columns["product_candidates"].tolist() == [asked.candidates for asked in questions_of(validation)]
    assert columns["product_asked"].all()
    listed = task.shortlist.scores(*evidence_of(validation, ANSWERED))  # calibration heard it cross-fitted
    np.testing.assert_allclose(columns["product_sure"], listed.max(axis=1), atol=1e-6)
    probabilities = predictor.verdict.probabilities(listed, outputs["log_likelihood"])
    np.testing.assert_allclose(columns["product_score"], probabilities.max(axis=1), atol=close)

    untrained = ProductsPredictor.zero_shot_of(folder, vocabulary, device="cpu", precision="fp32")
    start = validation_outputs(task, task.build().eval(), validation)["log_likelihood"]
    require_same_answers(untrained, validation, start, close)


def require_same_answers(predictor: ProductsPredictor, batch: Batch, expected: np.ndarray, close: float) -> None:
    """The predictor's language model says of a prepared batch's candidates what training saw."""
    ids = predictor.vocabulary.product_ids
    listed = predictor(as_an_archive_asks(batch))["product_candidates"]
    for row, scores in enumerate(predictor.language_model.score(batch["image"], questions_of(batch))):
        assert list(scores) == listed[row]
        assert np.isfinite(expected[row]).sum() == len(scores)
        for product, score in scores.items():
            assert score == pytest.approx(float(expected[row, ids.index(product)]), abs=close)


def as_an_archive_asks(batch: Batch) -> Batch:
    """Prepared rows with the earlier stages' answers under the names that a predictor reads; no labels."""
    kept = ("image", "title", "text", *(name for name in batch if name.startswith(ANSWERED)))
    return {name.removeprefix(ANSWERED): batch[name] for name in kept}


def test_a_checkpoint_restores_the_model(base_folder, answered_inputs) -> None:
    task = task_of(base_folder, answered_inputs, "lora", "none")
    model = task.build()
    batch = task.collate(prepared(task, TRAIN))
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


def test_metrics_count_a_product_that_was_no_candidate_as_a_miss(base_folder, inputs, vocabulary) -> None:
    """Two in five charts have their product first, one second, one third, one not at all."""
    task = task_of(base_folder, inputs, "full", "none")
    rows, products = 50, len(vocabulary.products)
    scores = np.full((rows, products), -np.inf, dtype=np.float32)
    scores[:, :3] = np.tile([[-1, -4, -9], [-1, -4, -9], [-4, -1, -9], [-9, -4, -1], [-1, -2, -9]], (rows // 5, 1))
    target = np.tile([0, 0, 0, 0, 7], rows // 5)
    even = np.full((rows, products + 1), 1 / (products + 1), dtype=np.float32)
    metrics = task.metrics({"log_likelihood": scores, "target": target, LISTED: even})
    assert metrics["language_model_top1"] == metrics["top1"] == pytest.approx(0.4)
    assert metrics["top5"] == metrics["candidate_recall"] == pytest.approx(0.8)
    assert metrics["shortlist_top1"] == pytest.approx(0.8)  # ties go to the first product
    assert task.watch in metrics
