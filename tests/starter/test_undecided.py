"""On how many validation images a gate is undecided: as its training says, and measured afterwards on its bundle."""

import pytest
import torch

from meteo_ray import bundle
from meteo_ray.calibration.undecided import UNDECIDED
from meteo_ray.files import read_json, write_json
from meteo_ray.gate.config import GateTraining
from meteo_ray.gate.task import GateTask
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.starter.build import _unmeasured
from meteo_ray.starter.compact import write_compact
from meteo_ray.starter.config import BuildStarterJob
from meteo_ray.vocabulary import load_vocabulary
from tests.pictures import picture_index, row_batch, write_index


def test_training_and_a_look_at_its_bundle_agree_and_the_small_bundle_keeps_it(tmp_path):
    data = tmp_path / "drawn"
    index = picture_index(data, per_split=30)
    write_index(data, index)
    settings = GateTraining(init="none", input_size=(64, 48), augmentation=AugmentConfig(enabled=False))
    task = GateTask(settings, data, load_vocabulary())
    rows = task.rows(index, TRAIN)
    task.before_training(lambda label, prepare: prepare(row_batch(rows)))
    torch.manual_seed(0)
    model = task.build().eval()
    with torch.inference_mode(), bundle.writing(tmp_path / "models" / "gate") as scratch:
        validation = task.prepare(VALIDATION, 0)(row_batch(task.rows(index, VALIDATION)))
        measured = task.export(model, task.outputs(model, task.collate(validation)), scratch)
        write_json(scratch / bundle.METRICS, {"auc": 1.0})  # as of a training that did not note it
    assert 0 <= measured[UNDECIDED] <= 1

    job = BuildStarterJob(work=tmp_path)
    found = _unmeasured(job, "gate")
    assert found[UNDECIDED] == pytest.approx(measured[UNDECIDED], abs=1 / 59 + 1e-9)  # rounded, a row may cross a bound
    write_compact(tmp_path / "models" / "gate", tmp_path / "small" / "gate", "gate", found)
    assert read_json(tmp_path / "small" / "gate" / bundle.METRICS) == {"auc": 1.0, **found}
    assert bundle.check(tmp_path / "small" / "gate", "gate")

    with bundle.writing(tmp_path / "models" / "elements") as scratch:
        write_json(scratch / bundle.METRICS, {})
    write_json(tmp_path / "models" / "gate" / bundle.METRICS, {UNDECIDED: 0.5})
    assert _unmeasured(job, "gate") == _unmeasured(job, "elements") == {}
