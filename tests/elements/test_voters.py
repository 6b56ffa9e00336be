"""Who votes beside the element network: trees, and what is written; and models that go on from others."""

import logging
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch

from meteo_ray import bundle
from meteo_ray.archive.cascade.models import tell_other_reading
from meteo_ray.cascade.over_rows import with_text_heard
from meteo_ray.elements.bundle import read_verdict
from meteo_ray.elements.config import TrainElementsJob
from meteo_ray.elements.earlier_model import take_heads
from meteo_ray.elements.predictor import ElementsPredictor
from meteo_ray.elements.task import ElementsTask
from meteo_ray.errors import UsageError
from meteo_ray.judging.judge import Judged
from meteo_ray.schema import TEST, TRAIN, VALIDATION
from meteo_ray.stages import CASCADE
from meteo_ray.text.table import texts_path, write_texts
from meteo_ray.training.config import AuxiliaryImages
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.training.run_identity import run_digest
from meteo_ray.vocabulary import Element, Vocabulary
from meteo_ray.voters.voters import COLUMN
from tests.elements.conftest import SMALL, as_batch, colour_index, colour_vocabulary
from tests.pictures import write_index


def write_what_is_shown(data, index: pa.Table) -> None:
    """Every picture names what it shows."""
    texts_path(data).parent.mkdir(exist_ok=True)
    rows = [(row["sha256"], " and ".join(f"{name} en" for name in row["elements"])) for row in index.to_pylist()]
    write_texts(texts_path(data), ({"sha256": sha256, "title": text, "text": text} for sha256, text in rows))


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> SimpleNamespace:
    data = tmp_path_factory.mktemp("written") / "data"
    index = colour_index(data, per_split=18)
    write_what_is_shown(data, index)
    return SimpleNamespace(data=data, index=index)


def train(task: ElementsTask, index: pa.Table, folder) -> SimpleNamespace:
    """An untrained network, so that the voters alone know anything."""
    rows = task.rows(index, TRAIN)
    task.before_training(lambda label, prepare: prepare(as_batch(rows)))
    validation = task.prepare(VALIDATION, 0)(as_batch(task.rows(index, VALIDATION)))
    torch.manual_seed(0)
    model = task.build().eval()
    with torch.inference_mode(), bundle.writing(folder) as scratch:
        outputs = task.outputs(model, task.collate(validation))
        metrics = task.export(model, outputs, scratch)
    return SimpleNamespace(validation=validation, metrics=metrics, bundle=folder)


@pytest.fixture(scope="module")
def voting(written, tmp_path_factory) -> SimpleNamespace:
    task = ElementsTask(SMALL.model_copy(update={"descriptors": True}), written.data, colour_vocabulary())
    return train(task, written.index, tmp_path_factory.mktemp("models") / "elements")


def test_voters_that_were_kept_vote_as_they_did(written, tmp_path):
    config = SMALL.model_copy(update={"descriptors": True})
    first, second = (ElementsTask(config, written.data, colour_vocabulary()) for _ in range(2))
    rows, _ = (task.rows(written.index, TRAIN) for task in (first, second))
    first.before_training(lambda label, prepare: prepare(as_batch(rows)))
    first.keep(tmp_path)
    assert second.recall(tmp_path)
    images = as_batch(second.rows(written.index, VALIDATION))
    ours, theirs = (task.prepare(VALIDATION, 0)(images) for task in (second, first))
    votes = [name for name in theirs if name.startswith(COLUMN)]
    assert len(votes) == 3
    for name in votes:
        np.testing.assert_array_equal(ours[name], theirs[name])
    assert second.voting.written.votes.keys() == first.voting.written.votes.keys()


def test_texts_lie_beside_the_index_wherever_that_is(written, tmp_path):
    elsewhere = tmp_path / "index"
    shutil.copytree(texts_path(written.data).parent, elsewhere)
    empty = tmp_path / "data"
    read = ElementsTask(SMALL, empty, colour_vocabulary(), index=elsewhere).rows(written.index, TRAIN)
    assert read["text"].null_count == 0
    unread = ElementsTask(SMALL, empty, colour_vocabulary()).rows(written.index, TRAIN)
    assert unread["text"].null_count == unread.num_rows


def test_all_voters_are_measured_alone_and_together(voting):
    found = voting.metrics
    assert {"parallel_map", "sequence_map", "trees_map", "words_map", "names_map", "image_map"} <= set(found)
    assert found["map"] > max(found["parallel_map"], found["sequence_map"]) + 0.2
    assert found["map"] >= found["image_map"]
    assert found["names_map"] == pytest.approx(1.0)


def test_text_is_heard_where_it_was_read_whatever_the_batch(voting):
    predictor = ElementsPredictor.load(voting.bundle, "cpu", colour_vocabulary(), precision="fp32")
    read = predictor(voting.validation)
    unread = predictor({"image": voting.validation["image"]})
    mixed = dict(voting.validation)
    mixed["text"] = mixed["text"].copy()
    mixed["text"][::2] = None
    found = predictor(mixed)
    np.testing.assert_allclose(found["element_scores"][::2], unread["element_scores"][::2], atol=1e-6)
    np.testing.assert_allclose(found["element_scores"][1::2], read["element_scores"][1::2], atol=1e-6)
    assert np.abs(read["element_scores"] - unread["element_scores"]).max() > 0.1
    names = [{entry["id"] for entry in row} for row in read["elements"]]
    assert (
        np.mean([shown == set(truth) for shown, truth in zip(names, voting.validation["elements"], strict=True)]) > 0.7
    )


def test_texts_that_were_read_later_make_it_another_run(written, tmp_path):
    data = shutil.copytree(written.data, tmp_path / "data")
    inputs = TaskInputs(data, tmp_path, tmp_path, written.index, colour_vocabulary())
    asked, deaf = (TrainElementsJob(elements=SMALL.model_copy(update={"text": text})) for text in (None, False))
    heard, unheard = run_digest(asked, inputs), run_digest(deaf, inputs)
    tested = pa.compute.equal(written.index["split"], TEST)
    write_what_is_shown(data, written.index.filter(pa.compute.invert(tested)))
    assert run_digest(asked, inputs) == heard  # what stands on test charts teaches nothing
    texts_path(data).unlink()
    assert run_digest(asked, inputs) != heard
    assert run_digest(deaf, inputs) == unheard


def test_a_bundle_knows_how_its_texts_were_read_and_an_archive_says_where_it_reads_otherwise(voting, caplog):
    config = bundle.read_config(voting.bundle, "elements")
    assert config["text_mode"] == "page"
    with caplog.at_level(logging.WARNING):
        for mode in ("off", "page"):
            tell_other_reading(voting.bundle.parent, {"elements": config}, mode)
        assert not caplog.text
        tell_other_reading(voting.bundle.parent, {"gate": config, "elements": config, "products": {}}, "title")
    (told,) = caplog.messages
    assert "gate, elements: learnt from texts read with --text.mode page; read with title" in told


def test_text_is_heard_end_to_end_on_what_an_archive_would_read(voting):
    """Of a stage that lets through, on what passes or is undecided; of others on all that was read."""
    predictor = ElementsPredictor.load(voting.bundle, "cpu", colour_vocabulary(), precision="fp32")
    seen, read = predictor({"image": voting.validation["image"]}), predictor(voting.validation)
    rows = pa.table({name: pa.array(voting.validation[name].tolist(), pa.string()) for name in ("title", "text")})
    judged = Judged(rows, seen, seconds=0.0, unreadable=0)
    found = with_text_heard(judged, CASCADE["elements"], predictor).columns
    np.testing.assert_allclose(found["element_scores"], read["element_scores"], atol=1e-6)
    np.testing.assert_array_equal(found["element_votes"], seen["element_votes"])

    asked = np.arange(rows.num_rows) % 3  # far from a chart, undecided, a chart
    gated = seen | {"passes": asked == 2, "score": np.array([0.01, 0.5, 0.9])[asked]}
    gate_like = replace(CASCADE["elements"], passes="passes", passes_by="score")
    found = with_text_heard(replace(judged, columns=gated), gate_like, predictor).columns
    wanted = np.where(asked[:, None] > 0, read["element_scores"], seen["element_scores"])
    np.testing.assert_allclose(found["element_scores"], wanted, atol=1e-6)


def test_a_verdict_needs_no_network(voting):
    verdict = read_verdict(voting.bundle)
    assert verdict.text is not None
    assert verdict.with_text is not None


def test_text_can_be_left_out_and_cannot_be_asked_for_where_none_was_read(written, colours, tmp_path):
    silent = ElementsTask(SMALL.model_copy(update={"text": False}), written.data, colour_vocabulary())
    found = train(silent, written.index, tmp_path / "elements")
    assert not any(name.startswith("vote_words") for name in found.validation)
    assert "words_map" not in found.metrics
    asked = ElementsTask(SMALL.model_copy(update={"text": True}), colours.data, colour_vocabulary())
    with pytest.raises(UsageError, match=r"jobs/read_text\.py"):
        asked.rows(colours.index, TRAIN)


def test_auxiliary_charts_are_learnt_from_with_their_weight_and_their_texts(written, colours):
    write_index(written.data, written.index)
    auxiliary = AuxiliaryImages(data=written.data, rows=10, weight=0.2)
    task = ElementsTask(SMALL.model_copy(update={"auxiliary": auxiliary}), colours.data, colour_vocabulary())
    other = colours.index.set_column(
        colours.index.schema.get_field_index("sha256"), "sha256", pa.array(["0" * 64] * 36)
    )
    rows = task.rows(other, TRAIN)
    assert rows.num_rows == 28
    assert sorted(set(rows["weight"].to_pylist())) == [0.2, 1.0]
    assert rows["text"].null_count == 18
    assert task.rows(other, VALIDATION).num_rows == 18
    drawn = np.concatenate([task.order(rows, epoch, None) for epoch in range(20)])
    assert (drawn >= 18).mean() == pytest.approx(2 / 20, abs=0.04)


def test_a_model_goes_on_with_another_ones_decoder_where_the_labels_are_the_same(voting, written, tmp_path):
    onward = SMALL.model_copy(update={"init": str(voting.bundle)})
    task = ElementsTask(onward, written.data, colour_vocabulary())
    task.rows(written.index, TRAIN)
    torch.manual_seed(1)
    model, before = task.build(), ElementsPredictor.load(voting.bundle, "cpu").model
    for name, tensor in before.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], tensor)
    assert task.voting.with_trees
    vocabulary = colour_vocabulary()
    grown = Vocabulary((*vocabulary.elements, Element(id="hail", zh="冰雹", en="hail")), vocabulary.products)
    assert not take_heads(model, str(voting.bundle), grown)
    assert not take_heads(model, "none", vocabulary)
    damaged = shutil.copytree(voting.bundle, tmp_path / "damaged")
    (damaged / bundle.WEIGHTS).unlink()
    assert not take_heads(model, str(damaged), vocabulary)
