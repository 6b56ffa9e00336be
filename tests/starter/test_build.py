"""The models that come with the package: built by one command, judged with where no others are given."""

import json
import logging
from pathlib import Path

import pytest
import yaml

from meteo_ray import bundle
from meteo_ray.archive.cascade.models import bundled_models
from meteo_ray.archive.config import ArchiveConfig
from meteo_ray.errors import UsageError
from meteo_ray.judging import starter
from meteo_ray.starter.build import CARD, STAGES, build
from meteo_ray.starter.config import BuildStarterJob
from meteo_ray.tuning.cascade_sweep import sweep_cascade
from meteo_ray.tuning.config import TuneJob
from tests.conftest import ROOT

TINY = {
    "gate": {"init": "none", "input_size": [64, 48], "full_epochs": 1, "augmentation": {"enabled": False}},
    "elements": {
        "init": "none",
        "backbone": "resnet18",
        "input_size": [64, 48],
        "full_epochs": 1,
        "augmentation": {"enabled": False},
    },
}


def test_without_any_models_it_is_said_what_to_give(monkeypatch, tmp_path):
    job = ArchiveConfig(archive=tmp_path, out=tmp_path / "out", models=starter.STARTER)
    monkeypatch.setattr(starter.Path, "is_dir", lambda path: False)
    with pytest.raises(UsageError, match=r"--models is required .*build_starter"):
        bundled_models(job)


def test_a_sweep_writes_nothing_into_the_package(tmp_path):
    with pytest.raises(UsageError, match="--models is required"):
        sweep_cascade(TuneJob(space="cascade", data=tmp_path))


@pytest.mark.parametrize("foreign", ["a file", "a folder"])
def test_a_place_that_cannot_be_written_is_told_before_the_hours_and_not_after(tmp_path, monkeypatch, foreign):
    monkeypatch.setattr("meteo_ray.starter.build.run_steps", lambda *_: pytest.fail("began"))
    if foreign == "a file":
        (tmp_path / "target").touch()
    else:
        (tmp_path / "target" / "products").mkdir(parents=True)
        (tmp_path / "target" / "products" / "mine.txt").touch()
    with pytest.raises(UsageError, match=r"--target .*cannot be written to|holds files, but no model bundle"):
        build(BuildStarterJob(work=tmp_path / "work", target=tmp_path / "target"), ROOT / "jobs")


@pytest.mark.slow
def test_one_command_builds_them_and_an_archive_takes_them(tmp_path, monkeypatch, caplog):
    configs = {}
    for name, settings in TINY.items():
        configs[name] = tmp_path / f"{name}.yaml"
        configs[name].write_text(yaml.safe_dump({name: settings, "training": {"patience": 0}}), "utf-8")
    job = BuildStarterJob(
        work=tmp_path / "work",
        target=tmp_path / "models",
        charts=160,
        others=60,
        gate_config=configs["gate"],
        elements_config=configs["elements"],
    )
    build(job, ROOT / "jobs")
    for name in STAGES:
        assert bundle.check(job.target / name, name)
    card = (job.target / CARD).read_text("utf-8")
    assert "160 weather charts" in card
    assert all(f"| {name} |" in card for name in STAGES)

    done = json.loads((job.work / "steps.json").read_text("utf-8"))
    build(job, ROOT / "jobs")
    assert json.loads((job.work / "steps.json").read_text("utf-8")) == done

    monkeypatch.setattr(starter, "STARTER", job.target)
    with caplog.at_level(logging.INFO, "meteo_ray"):
        models = bundled_models(ArchiveConfig(archive=tmp_path, out=tmp_path / "out", models=Path(job.target)))
    assert [model.name for model in models.models] == list(STAGES)
    assert "have seen drawings alone" in caplog.text
