"""An archive on which the gate is undecided more often than in validation: said in summary, report and log."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from meteo_ray import bundle
from meteo_ray.archive import output, run
from meteo_ray.archive.cascade.models import Models, bundled_models
from meteo_ray.archive.config import ArchiveConfig
from meteo_ray.calibration.undecided import LEAST_IMAGES, UNDECIDED
from meteo_ray.files import read_json, write_json
from tests.archive.fakes import BLUE, fake_models, paint
from tests.archive.in_process import without_ray  # noqa: F401 (a fixture)
from tests.archive.test_run import config

GATE, CLEAR = ("gate",), (0, 0, 255)
SAID = "this archive is unlike what the gate has learnt from"


def judged(tmp_path: Path, undecided: float | None, resume: bool = False) -> dict:
    models = fake_models(GATE)
    known = Models([replace(model, undecided=undecided) for model in models.models], models.vocabulary)
    return run.classify(config(tmp_path / "archive", tmp_path / "out", stages=GATE, resume=resume), known)


def pictures(folder: Path, clear: int, doubtful: int) -> None:
    for number in range(clear + doubtful):
        paint(folder / f"{number}.png", CLEAR if number < clear else BLUE, number, size=(80, 60))


@pytest.mark.usefixtures("without_ray")
def test_a_strange_archive_is_said_to_be_one(tmp_path, caplog):
    pictures(tmp_path / "archive", clear=LEAST_IMAGES, doubtful=30)
    with caplog.at_level(logging.WARNING, "meteo_ray"):
        summary = judged(tmp_path, undecided=0.1)
    assert summary["undecided"] == {"gate": {"images": 80, "share": 0.375, "in_validation": 0.1, "unlike": True}}
    (text,) = summary["warnings"]
    assert SAID in text
    assert "on 38% of the images, in its validation on 10%" in text
    assert json.loads((tmp_path / "out" / output.SUMMARY).read_text("utf-8"))["warnings"] == [text]
    assert caplog.messages[-1] == text
    assert SAID in (tmp_path / "out" / output.REPORT).read_text("utf-8")
    caplog.clear()
    with caplog.at_level(logging.WARNING, "meteo_ray"):
        judged(tmp_path, undecided=0.1, resume=True)  # nothing is new, and it is as strange as before
    assert caplog.messages == [text]


@pytest.mark.usefixtures("without_ray")
@pytest.mark.parametrize("undecided", [0.3, None])
def test_nothing_is_said_of_one_like_the_validation_nor_by_an_older_model(tmp_path, caplog, undecided):
    pictures(tmp_path / "archive", clear=LEAST_IMAGES, doubtful=30)
    with caplog.at_level(logging.WARNING, "meteo_ray"):
        summary = judged(tmp_path, undecided)
    assert summary["warnings"] == []
    assert bool(summary["undecided"]) == (undecided is not None)
    assert SAID not in caplog.text + (tmp_path / "out" / output.REPORT).read_text("utf-8")


@pytest.mark.parametrize("measured", [{UNDECIDED: 0.25}, {"auc": 1.0}, None])
def test_the_bundle_says_how_often_its_gate_was_undecided(gate_models, tmp_path, measured):
    if measured is not None:
        folder = gate_models / "gate"
        write_json(folder / bundle.METRICS, measured)
        (folder / bundle.SUMS).unlink()
        bundle._write_sums(folder)
        assert read_json(folder / bundle.METRICS) == measured
    asked = ArchiveConfig(archive=tmp_path, out=tmp_path / "out", models=gate_models, stages=GATE)
    (model,) = bundled_models(asked).models
    assert model.undecided == (measured or {}).get(UNDECIDED)


@pytest.fixture
def gate_models(tmp_path) -> Path:
    from tests.archive.untrained import write_models

    return write_models(tmp_path / "models")
