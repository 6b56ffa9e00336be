"""A training of the elements goes on from the model that comes with the package, where labels and shape are its own."""

import logging
import shutil
from pathlib import Path

import pytest
import torch

from meteo_ray import bundle
from meteo_ray.config import parse_config
from meteo_ray.elements.config import TrainElementsJob
from meteo_ray.elements.task import ElementsTask
from meteo_ray.errors import UsageError
from meteo_ray.judging import starter
from meteo_ray.schema import TRAIN
from meteo_ray.vocabulary import Vocabulary
from tests.elements.conftest import colour_vocabulary


@pytest.fixture
def data(trained, tmp_path, monkeypatch) -> Path:
    """A folder whose labels are those of the package's only model."""
    monkeypatch.setattr(starter, "STARTER", tmp_path / "starter")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    shutil.copytree(trained.bundle, tmp_path / "starter" / "elements")
    (tmp_path / "labels.yaml").write_text(colour_vocabulary().to_yaml(), "utf-8")
    return tmp_path


def job(data: Path, *flags: str) -> TrainElementsJob:
    return parse_config(TrainElementsJob, ["--data", str(data), *flags])


def test_without_imagenets_weights_all_of_it_is_taken(data, trained, colours):
    chosen = job(data).elements
    assert (chosen.init, chosen.backbone, chosen.input_size, chosen.joint_size) == (
        "starter",
        "resnet18",
        (64, 48),
        128,
    )
    assert (chosen.encoder_rate, chosen.decoder_rate, chosen.full_epochs) == (2e-5, 1e-4, 1)
    task = ElementsTask(chosen, colours.data, colour_vocabulary())
    task.rows(colours.index, TRAIN)
    torch.manual_seed(5)
    model = task.build().state_dict()
    for name, tensor in bundle.read_weights(trained.bundle).items():
        torch.testing.assert_close(model[name], tensor)
    assert dict(task.phases()[1].learning_rates) == {"encoder": 2e-5, "decoder": 1e-4}


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--elements.backbone", "resnet50"), "--elements.backbone is resnet50, resnet18 there"),
        (("--elements.input-size", "80x60"), "--elements.input-size is 80x60, 64x48 there"),
        (("--elements.parallel-head", "query"), "--elements.parallel-head is query, pooled there"),
    ],
)
def test_another_shape_is_refused_where_it_is_asked_for(data, caplog, flags, told):
    with pytest.raises(UsageError, match=told):
        job(data, "--elements.init", "starter", *flags)
    with caplog.at_level(logging.INFO, "meteo_ray"):
        assert job(data, *flags).elements.init == "auto"
    assert told in caplog.text


def test_other_labels_are_refused_too(data, caplog):
    known = colour_vocabulary()
    turned = Vocabulary(tuple(reversed(known.elements)), known.products)
    (data / "labels.yaml").write_text(turned.to_yaml(), "utf-8")
    with pytest.raises(UsageError, match=r"labels\.yaml names 4 elements, other ones or in another order"):
        job(data, "--elements.init", "starter")
    with caplog.at_level(logging.INFO, "meteo_ray"):
        assert job(data).elements == TrainElementsJob().elements
    assert "labels.yaml names 4 elements" in caplog.text
