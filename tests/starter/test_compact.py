"""A bundle made small answers as the whole one does, and is read by whoever reads bundles."""

import numpy as np
import pytest

from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.files import read_json, write_json
from meteo_ray.gate.bundle import read_bundle
from meteo_ray.gate.predictor import GatePredictor
from meteo_ray.starter.compact import write_compact
from meteo_ray.voters.boosted_trees import LEAST_ROWS_FURTHER, Trees, bundle_with_trees
from meteo_ray.voters.descriptors import FEATURES


def test_it_answers_as_the_whole_one_does(whole, small):
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (8, 240, 320, 3), dtype=np.uint8)
    texts = np.array(["soup", "500 hPa wind", "wind", "", "menu", "chart", "soup wind", "day"], dtype=object)
    batch = {"image": images, "title": texts, "text": texts}
    answers = [GatePredictor.load(folder, device="cpu")(dict(batch))["gate_score"] for folder in (whole, small)]
    np.testing.assert_allclose(answers[0], answers[1], atol=0.01)
    assert np.ptp(answers[0]) > 0.1


def test_it_is_a_third_as_large_and_whole(whole, small):
    sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in (whole, small)]
    assert sizes[1] < sizes[0] / 3
    assert read_bundle(small).version != read_bundle(whole).version


def test_training_goes_on_from_its_trees(small):
    assert bundle_with_trees(str(small)) == small
    again = Trees.read(small, 1)
    descriptors = np.random.default_rng(2).random((LEAST_ROWS_FURTHER, FEATURES)).astype(np.float32)
    targets = np.arange(LEAST_ROWS_FURTHER)[:, None] % 3 == 0
    further = Trees.fit(descriptors, targets, np.ones(len(targets)), seed=0, rounds=9, earlier=again, further=5)
    assert further.boosters[0].num_trees() == again.boosters[0].num_trees() + 5


def test_what_is_no_bundle_is_not_made_small(tmp_path):
    with pytest.raises(UsageError, match="no gate model here"):
        write_compact(tmp_path, tmp_path / "out", "gate")


def test_who_learnt_from_a_whole_model_is_told_of_the_small_one_in_its_place(whole, tmp_path):
    config = read_json(whole / "config.json")
    with bundle.writing(tmp_path / "products") as folder:
        write_json(folder / "config.json", {**config, "stage": "products", "answered_by": {"elements": "before"}})
    made_small = {"before": "after"}
    write_compact(tmp_path / "products", tmp_path / "small", "products", made_small=made_small)
    assert read_json(tmp_path / "small" / "config.json")["answered_by"] == {"elements": "after"}
    assert "answered_by" not in config
