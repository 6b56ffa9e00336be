"""jobs/evaluate.py scores the elements in 8 bits as well, so that they can be set beside the full model."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from meteo_ray.elements.int8_encoder import RANGES
from meteo_ray.evaluation.config import EvaluateJob
from meteo_ray.evaluation.run import Evaluation
from tests.archive.untrained import observe_ranges, write_models
from tests.evaluation.test_run import evaluate_main
from tests.pictures import picture_index, write_index


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A prepared `data` folder, untrained `models`, and the same from `before` there were ranges."""
    root = tmp_path_factory.mktemp("8bit")
    write_index(root / "data", picture_index(root / "data", per_split=4))
    models = write_models(root / "models")
    before = shutil.copytree(models, root / "before")
    observe_ranges(models)
    return SimpleNamespace(data=root / "data", models=models, before=before)


def arguments(data: Path, models: Path, out: Path) -> list[str]:
    flags = ["--data", str(data), "--models", str(models), "--out", str(out), "--stage", "elements"]
    return [*flags, "--bootstrap-rounds", "0", "--data-workers", "1", "--no-augmentation.enabled"]


def test_the_job_records_the_setting_and_scores_with_it(untrained, tmp_path, ray_session):
    out = tmp_path / "metrics.json"
    assert evaluate_main([*arguments(untrained.data, untrained.models, out), "--cascade.elements-8bit"]) == 0
    eight = json.loads(out.read_text("utf-8"))
    assert eight["settings"]["elements_8bit"] is True
    assert eight["elements"]["rows"] == 4
    assert eight["elements"]["seconds_per_image"] > 0
    assert eight["elements"]["map"] is not None


def test_both_ways_score_nearly_alike(untrained, tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (4, 240, 320, 3), dtype=np.uint8)
    scores = []
    for eight in (False, True):
        places = {"data": untrained.data, "models": untrained.models, "out": tmp_path / "unused.json"}
        evaluation = Evaluation(EvaluateJob(**places, stage="elements", cascade={"elements_8bit": eight}))
        scores.append(evaluation.predictors["elements"]({"image": images})["element_scores"])
    assert 0 < np.abs(scores[0] - scores[1]).max() < 0.05


def test_a_model_without_ranges_is_refused_before_ray_starts(untrained, tmp_path, capsys):
    out = tmp_path / "metrics.json"
    assert evaluate_main([*arguments(untrained.data, untrained.before, out), "--cascade.elements-8bit"]) == 2
    assert f"no {RANGES}" in capsys.readouterr().err
    assert not out.exists()
