"""What the gate tells the loop: rows, order, phases; and that these pieces together learn something."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from meteo_ray import bundle
from meteo_ray.batch import Batch, concatenate
from meteo_ray.errors import UsageError
from meteo_ray.gate.bundle import earlier_scales, read_verdict
from meteo_ray.gate.config import GateTraining
from meteo_ray.gate.hard_examples import sampling_weights
from meteo_ray.gate.predictor import GatePredictor
from meteo_ray.gate.task import GateTask
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.streaming.row_weights import row_weights
from meteo_ray.training.task import Feedback, Progress
from meteo_ray.vocabulary import load_vocabulary
from meteo_ray.voters.boosted_trees import TREES
from meteo_ray.voters.descriptors import describe_all
from tests.pictures import picture_index, row_batch

SMALL = GateTraining(init="none", input_size=(80, 60), augmentation=AugmentConfig(enabled=False))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> tuple[Path, pa.Table]:
    data = tmp_path_factory.mktemp("data")
    return data, picture_index(data)


def make_task(data: Path, config: GateTraining = SMALL, seed: int = 0) -> GateTask:
    return GateTask(config, data, load_vocabulary(), seed=seed)


def prepared(task: GateTask, rows: pa.Table, split: str, epoch: int = 0) -> Batch:
    return task.prepare(split, epoch)(row_batch(rows))


def test_ambiguous_rows_train_but_do_not_score(pictures):
    data, index = pictures
    assert make_task(data).rows(index, TRAIN).num_rows == 24
    assert make_task(data).rows(index, VALIDATION).num_rows == 23
    strict = SMALL.model_copy(update={"skip_ambiguous": False})
    assert make_task(data, strict).rows(index, VALIDATION).num_rows == 24


def test_a_split_needs_both_classes(pictures):
    data, index = pictures
    charts_only = index.filter(index["is_meteo"])
    with pytest.raises(UsageError, match="12 weather charts and 0 other images"):
        make_task(data).rows(charts_only, TRAIN)
    with pytest.raises(UsageError, match="the train split has 0 weather charts"):
        make_task(data).rows(index.slice(0, 0), TRAIN)


def test_rows_whose_label_is_not_known_are_left_out(pictures):
    data, index = pictures
    position = index.schema.get_field_index("is_meteo")
    values = index["is_meteo"].to_pylist()
    values[0] = None
    unknown = index.set_column(position, index.schema.field(position), pa.array(values, pa.bool_()))
    assert make_task(data).rows(unknown, TRAIN).num_rows == 23


def test_draws_are_balanced_seeded_and_new_in_every_epoch():
    rows = pa.table({"is_meteo": [True] * 40 + [False] * 360, "weight": [1.0] * 400})
    task = make_task(Path("."))
    order = task.order(rows, 0, None)
    share = (order < 40).mean()
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(len(order))  # four standard errors
    assert np.array_equal(order, task.order(rows, 0, None))
    assert not np.array_equal(order, task.order(rows, 1, None))
    assert not np.array_equal(order, make_task(Path("."), seed=1).order(rows, 0, None))


def test_hard_rows_are_drawn_more_often_within_their_class():
    positive = np.array([True] * 10 + [False] * 30)
    loss = np.arange(40, dtype=np.float32)
    loss[5] = np.nan
    weights = sampling_weights(positive, loss, hard_share=0.2, hard_weight=3.0, given=np.ones(40))
    assert weights[positive].sum() == pytest.approx(weights[~positive].sum())
    assert weights[9] == pytest.approx(3 * weights[0])  # the hardest of nine seen charts (a fifth of 9 is 1)
    assert weights[5] == pytest.approx(weights[0])  # not seen yet
    assert set(np.flatnonzero(weights[10:] > weights[10] * 2) + 10) == {34, 35, 36, 37, 38, 39}


def test_rows_are_drawn_by_their_weight_in_the_labels_and_both_classes_alike():
    index = pa.table({"path": ["a", "b", "c"], "extra": ['{"weight": 0.25}', None, "{}"]})
    given = row_weights(index).to_numpy()
    assert given.tolist() == [0.25, 1.0, 1.0]
    weights = sampling_weights(np.array([True, True, False]), None, 0.2, 2.0, given)
    assert weights == pytest.approx([0.2, 0.8, 1.0])


@pytest.mark.parametrize("weight", ["0", "-1", '"heavy"', "true", "Infinity", "null"])
def test_a_weight_that_is_no_positive_number_is_named(weight):
    index = pa.table({"path": ["a.png"], "extra": [f'{{"weight": {weight}}}']})
    with pytest.raises(UsageError, match=r"labels\.jsonl, a\.png: weight must be a positive number"):
        row_weights(index)


def test_hard_rows_count_only_after_the_first_epochs():
    rows = pa.table({"is_meteo": [True, False] * 20, "weight": [1.0] * 40})
    feedback = Feedback(np.linspace(0, 1, 40, dtype=np.float32))
    task = make_task(Path("."), SMALL.model_copy(update={"hard_from_epoch": 2, "hard_weight": 50.0}))
    assert np.array_equal(task.order(rows, 1, feedback), task.order(rows, 1, None))
    hardest = (task.order(rows, 2, feedback) >= 32).mean()
    assert hardest > 0.8  # 8 of 40 rows of weight 50 against 32 of weight 1: 93 % of the draws


def test_phases_are_those_of_the_plan():
    task = make_task(Path("."), GateTraining(init="none"))
    assert [phase.name for phase in task.phases()] == ["everything"]  # random weights are not worth freezing
    task.init = "imagenet"
    head, everything = task.phases()
    assert (head.epochs, dict(head.learning_rates), head.minimum_learning_rate) == (5, {"head": 1e-3}, 1e-6)
    assert dict(everything.learning_rates) == {"backbone": 1e-4, "head": 1e-3}
    groups = task.parameter_groups(make_task(Path(".")).build())
    assert set(everything.learning_rates) == set(groups)


def test_trees_vote_by_default_where_the_network_starts_from_nothing(tmp_path):
    torch.save(make_task(Path(".")).build().backbone.state_dict(), tmp_path / "resnet.pt")
    pretrained = SMALL.model_copy(update={"init": str(tmp_path / "resnet.pt")})
    assert make_task(Path(".")).voting.with_trees
    assert not make_task(Path("."), pretrained).voting.with_trees
    assert not make_task(Path("."), SMALL.model_copy(update={"descriptors": False})).voting.with_trees
    assert make_task(Path("."), pretrained.model_copy(update={"descriptors": True})).voting.with_trees


def test_training_and_validation_pixels(pictures):
    data, index = pictures
    task = make_task(data, SMALL.model_copy(update={"augmentation": AugmentConfig()}))
    rows = task.rows(index, VALIDATION).slice(0, 6)
    first, again = prepared(task, rows, VALIDATION, 0), prepared(task, rows, VALIDATION, 1)
    assert np.array_equal(first["image"], again["image"])
    rows = task.rows(index, TRAIN).slice(0, 6)
    first, again = prepared(task, rows, TRAIN, 0), prepared(task, rows, TRAIN, 1)
    assert not np.array_equal(first["image"], again["image"])


def test_the_head_for_kinds_learns_in_training_and_stays_out_of_the_bundle(pictures, tmp_path):
    data, index = pictures
    torch.manual_seed(0)
    task = make_task(data, SMALL.model_copy(update={"kind_weight": 0.5}))
    train, validation = (prepared(task, task.rows(index, split), split) for split in (TRAIN, VALIDATION))
    assert sorted({int(kind) for kind in train["kind"]}) == [0, 1]  # a product and "easy"
    model, plain = task.build(), make_task(data)
    batch = task.collate(train)
    loss = task.loss(model, batch, Progress(0, 0, 0.0))
    loss.total.backward()
    assert loss.total.item() == pytest.approx(loss.rows.mean().item() + 0.5 * loss.parts["kind_loss"].item())
    assert model.kind_head.weight.grad.abs().sum() > 0
    del batch["kind"]  # as where the kind of no row is known
    assert task.loss(model, batch, Progress(0, 0, 0.0)).parts == {}
    model.eval()
    with torch.inference_mode(), bundle.writing(tmp_path / "gate") as scratch:
        task.export(model, concatenate([task.outputs(model, task.collate(validation))]), scratch)
    assert GatePredictor.load(tmp_path / "gate", device="cpu", vocabulary=load_vocabulary()).model.kind_head is None
    assert plain.rows(index, TRAIN)["kind"].to_pylist() == [-1] * 24


def test_a_threshold_chosen_by_few_images_is_told(pictures, tmp_path, caplog):
    data, index = pictures
    for name, threshold in (("given", 0.625), ("chosen", None)):
        task = make_task(data, SMALL.model_copy(update={"threshold": threshold}))
        model = task.build().eval()
        validation = prepared(task, task.rows(index, VALIDATION), VALIDATION)
        with torch.inference_mode(), bundle.writing(tmp_path / name) as scratch:
            task.export(model, concatenate([task.outputs(model, task.collate(validation))]), scratch)
        told = [message for message in caplog.messages if "too few to choose a threshold" in message]
        assert len(told) == (threshold is None)
    assert "12 charts and 11 other images" in told[0]


def test_a_given_threshold_stands_in_the_bundle(pictures, tmp_path):
    data, index = pictures
    task = make_task(data, SMALL.model_copy(update={"threshold": 0.625}))
    model = task.build().eval()
    validation = prepared(task, task.rows(index, VALIDATION), VALIDATION)
    with torch.inference_mode(), bundle.writing(tmp_path / "gate") as scratch:
        measured = task.export(model, concatenate([task.outputs(model, task.collate(validation))]), scratch)
    predictor = GatePredictor.load(tmp_path / "gate", device="cpu", vocabulary=load_vocabulary())
    assert predictor.verdict.image.threshold == measured["threshold"] == 0.625


def test_a_gate_that_starts_from_another_goes_on_with_its_trees(pictures, tmp_path):
    data, index = pictures
    with_trees = SMALL.model_copy(update={"descriptors": True})
    first = make_task(data, with_trees)
    rows = first.rows(index, TRAIN)
    first.before_training(lambda label, prepare: prepare(row_batch(rows)))
    validation = prepared(first, first.rows(index, VALIDATION), VALIDATION)
    model = first.build().eval()
    with torch.inference_mode(), bundle.writing(tmp_path / "gate") as scratch:
        first.export(model, first.outputs(model, first.collate(validation)), scratch)

    second = make_task(data, with_trees.model_copy(update={"init": str(tmp_path / "gate")}), seed=1)
    second.before_training(lambda label, prepare: prepare(row_batch(rows)))
    descriptors = describe_all(validation["image"])
    (before,), (after,) = (task.voting.voters.trees.boosters for task in (first, second))
    kept = after.predict(descriptors, raw_score=True, num_iteration=before.num_trees())
    assert kept == pytest.approx(before.predict(descriptors, raw_score=True))

    second.keep(tmp_path)
    third, other = make_task(data, second.config), make_task(data, SMALL.model_copy(update={"descriptors": False}))
    assert third.recall(tmp_path)
    assert not other.recall(tmp_path)  # a sweep's trial asks for no voters, the bundle that is made of it does
    np.testing.assert_array_equal(*(t.voting.voters.trees.votes(descriptors) for t in (second, third)))

    by_its_weights = str(tmp_path / "gate" / bundle.WEIGHTS)
    known = read_verdict(tmp_path / "gate").image.scales
    assert earlier_scales(by_its_weights) == earlier_scales(second.config.init) == known
    assert earlier_scales("none") is None
    for init in (second.config.init, by_its_weights):
        by_default = make_task(data, second.config.model_copy(update={"init": init, "descriptors": None}))
        assert by_default.voting.with_trees
    origin = second.origin()
    (tmp_path / "gate" / TREES).write_text("other trees")
    assert second.origin() != origin
    with pytest.raises(UsageError, match=r"trees\.txt: damaged"):
        make_task(data, second.config)
    without = make_task(data, second.config.model_copy(update={"descriptors": False}))
    without.before_training(lambda label, prepare: prepare(row_batch(rows)))
    assert not without.voting.voters


@pytest.mark.parametrize("descriptors", [False, True])
def test_a_gate_learns_and_its_bundle_judges_as_it_did(pictures, tmp_path, descriptors):
    data, index = pictures
    torch.manual_seed(0)
    task = make_task(data, SMALL.model_copy(update={"descriptors": descriptors}))
    train = task.rows(index, TRAIN)
    task.before_training(lambda label, prepare: prepare(row_batch(train)))
    assert bool(task.voting.voters) == descriptors
    model = task.build()
    batch = task.collate(prepared(task, train, TRAIN))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for step in range(8):
        optimizer.zero_grad()
        loss = task.loss(model, batch, Progress(0, step, step / 8))
        loss.total.backward()
        optimizer.step()
    assert loss.rows.shape == (24,)
    assert float(loss.rows.mean()) == pytest.approx(loss.total.item())

    model.eval()
    validation = prepared(task, task.rows(index, VALIDATION), VALIDATION)
    with torch.inference_mode():
        outputs = concatenate([task.outputs(model, task.collate(validation))])
    metrics = task.metrics(outputs)
    assert metrics["auc"] > 0.95
    with bundle.writing(tmp_path / "gate") as scratch:
        exported = task.export(model, outputs, scratch)
    if descriptors:
        assert exported["network_auc"] == pytest.approx(metrics["auc"])
        assert exported["trees_auc"] > 0.9
    else:
        assert exported["auc"] == pytest.approx(metrics["auc"])

    predictor = GatePredictor.load(tmp_path / "gate", device="cpu", vocabulary=load_vocabulary(), precision="fp32")
    judged = predictor({"image": validation["image"]})
    votes = predictor.votes(validation)
    np.testing.assert_allclose(votes.pop("network")[:, 0], outputs["logit"], atol=1e-3)
    assert list(votes) == (["trees"] if descriptors else [])
    for name, values in votes.items():
        np.testing.assert_allclose(values, outputs[f"vote_{name}"], atol=1e-5)
    f1 = 2 * (judged["is_meteo"] & validation["is_meteo"]).sum() / (judged["is_meteo"].sum() + 12)
    assert f1 == pytest.approx(exported["f1"])
