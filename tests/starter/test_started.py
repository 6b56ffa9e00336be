"""A training of the gate goes on from the package's model: asked to, or for want of ImageNet's weights."""

import logging
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from torchvision.models import resnet18

from jobs import train_gate
from meteo_ray import bundle
from meteo_ray.config import parse_config
from meteo_ray.elements.config import FROM_STARTER as ELEMENTS_RECIPE
from meteo_ray.elements.config import SHAPE
from meteo_ray.errors import UsageError
from meteo_ray.gate.config import FROM_STARTER as GATE_RECIPE
from meteo_ray.gate.config import TrainGateJob
from meteo_ray.gate.task import GateTask
from meteo_ray.judging import starter
from meteo_ray.vocabulary import load_vocabulary
from meteo_ray.voters.boosted_trees import COMPACT_TREES
from tests.conftest import ROOT


@pytest.fixture
def package(small, tmp_path, monkeypatch) -> Path:
    """A copy of the package's models: the gate alone, of 80x60 pixels."""
    shutil.copytree(small, tmp_path / "starter" / "gate")
    monkeypatch.setattr(starter, "STARTER", tmp_path / "starter")
    return tmp_path / "starter"


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch) -> Path:
    """An empty folder in place of torch's own cache."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    return tmp_path / "hub/checkpoints"


def job(tmp_path: Path, *flags: str) -> TrainGateJob:
    return parse_config(TrainGateJob, ["--data", str(tmp_path), *flags])


def task(given: TrainGateJob) -> GateTask:
    return GateTask(given.gate, Path("."), load_vocabulary())


@pytest.mark.parametrize(("stage", "recipe"), [("gate", GATE_RECIPE), ("elements", ELEMENTS_RECIPE)])
def test_the_rates_are_those_of_the_recipe(stage, recipe):
    file = yaml.safe_load((ROOT / "jobs" / f"{stage}_from_scratch" / "fine_tune.yaml").read_text("utf-8"))
    for text in ("backbone_rate", "encoder_rate", "decoder_rate", "frozen_rate"):  # 1.0e-4 of YAML 1.1
        if text in file[stage]:
            file[stage][text] = float(file[stage][text])
    wanted = {name: value for name, value in file[stage].items() if name not in SHAPE}
    assert recipe == {"training": file["training"], stage: wanted}


@pytest.mark.parametrize("flags", [("--gate.init", "starter"), (), ("--gate.init", "auto")])
def test_it_starts_gently_from_the_starter_and_what_is_given_counts(package, tmp_path, caplog, flags):
    file = tmp_path / "own.yaml"
    file.write_text("training: {batch_size: 5}\n", "utf-8")
    with caplog.at_level(logging.INFO, "meteo_ray"):
        found = job(tmp_path, *flags, "--config", str(file), "--gate.full-epochs", "7")
    gate = found.gate
    assert (gate.init, gate.input_size, gate.backbone_rate, gate.frozen_epochs) == ("starter", (80, 60), 2e-5, 2)
    assert (gate.full_epochs, found.training.batch_size, found.training.average_decay) == (7, 5, 0.99)
    (line,) = [message for message in caplog.messages if "goes on from the model that comes with" in message]
    assert ("no ImageNet weights of resnet18" in line) == (flags != ("--gate.init", "starter"))
    found.save(tmp_path / "saved.yaml")
    assert job(tmp_path, "--config", str(tmp_path / "saved.yaml")) == found


def test_validation_weighs_the_voters_where_a_file_says_so(package, tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text("gate: {voter_weights: null}\n", "utf-8")
    assert job(tmp_path).gate.voter_weights == GATE_RECIPE["gate"]["voter_weights"]
    assert job(tmp_path, "--config", str(file)).gate.voter_weights is None


def test_imagenets_weights_are_taken_where_they_are_and_none_where_none_are_wanted(package, tmp_path, hub):
    assert job(tmp_path, "--gate.init", "none").gate == TrainGateJob(gate={"init": "none"}).gate
    torch.save(resnet18(weights=None).state_dict(), hub / "resnet18-f37072fd.pth")
    assert job(tmp_path).gate == TrainGateJob().gate
    assert job(tmp_path, "--gate.init", "starter").gate.init == "starter"


def test_another_input_size_is_refused_where_the_starter_is_asked_for(package, tmp_path, caplog):
    size = ("--gate.input-size", "160x120")
    with pytest.raises(UsageError, match=r"does not fit.*\n.*--gate\.input-size is 160x120, 80x60 there"):
        job(tmp_path, "--gate.init", "starter", *size)
    with caplog.at_level(logging.INFO, "meteo_ray"):
        assert job(tmp_path, *size).gate == TrainGateJob(gate={"input_size": (160, 120)}).gate
    assert "--gate.input-size is 160x120, 80x60 there" in caplog.text


def test_of_a_folder_that_is_not_there_nothing_but_that_is_said(package, tmp_path, caplog, capsys):
    arguments = ["--data", str(tmp_path / "typo"), "--models", str(tmp_path / "models")]
    with caplog.at_level(logging.INFO, "meteo_ray"):
        assert train_gate.main(arguments) == 2
    assert not caplog.text
    assert capsys.readouterr().err == f"error: --data {tmp_path / 'typo'}: no such folder\n"


def test_a_copy_without_models_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(starter, "STARTER", tmp_path / "absent")
    assert job(tmp_path).gate == TrainGateJob().gate
    with pytest.raises(UsageError, match=r"without a gate model of its own; jobs/build_starter\.py builds it"):
        job(tmp_path, "--gate.init", "starter")


def test_a_damaged_starter_is_named(package, tmp_path):
    (package / "gate" / bundle.WEIGHTS).write_bytes(b"damaged")
    with pytest.raises(UsageError, match=r"weights\.safetensors: damaged"):
        job(tmp_path)


def test_the_whole_model_is_taken_and_its_sums_name_the_run(package, tmp_path):
    learning = task(job(tmp_path, "--gate.init", "starter"))
    torch.manual_seed(3)
    model = learning.build().state_dict()
    for name, tensor in bundle.read_weights(package / "gate").items():
        torch.testing.assert_close(model[name], tensor)
    assert learning.voting.with_trees
    assert [phase.name for phase in learning.phases()] == ["head", "everything"]
    assert dict(learning.phases()[1].learning_rates) == {"backbone": 2e-5, "head": 1e-3}
    assert learning.files() == [package / "gate" / bundle.WEIGHTS]

    origin = learning.origin()
    for name in (bundle.WEIGHTS, COMPACT_TREES):
        before = (package / "gate" / name).read_bytes()
        (package / "gate" / name).write_bytes(before + b" ")
        assert learning.origin() != origin
        (package / "gate" / name).write_bytes(before)
