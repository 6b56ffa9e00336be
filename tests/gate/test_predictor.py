"""The gate's bundle and predictor: what is refused, which operating point holds, and that batching is harmless."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.metrics import precision_score, recall_score

from meteo_ray import bundle
from meteo_ray.calibration.votes import VoterGroup
from meteo_ray.errors import UsageError
from meteo_ray.gate.calibration import NETWORK, GateCalibration
from meteo_ray.gate.model import GateModel
from meteo_ray.gate.predictor import GatePredictor
from meteo_ray.vocabulary import Vocabulary, load_vocabulary

rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (5, 240, 320, 3), dtype=np.uint8)


def load(folder, **options) -> GatePredictor:
    return GatePredictor.load(folder, device="cpu", precision="fp32", **options)


@pytest.fixture
def copy(gate_bundle, tmp_path):
    """A bundle to spoil."""
    return shutil.copytree(gate_bundle, tmp_path / "gate")


def reseal(folder):
    """Write SHA256SUMS anew, so that the check behind it is the one that speaks."""
    with bundle.writing(folder.with_name("resealed")) as scratch:
        for file in folder.iterdir():
            if file.name != bundle.SUMS:
                shutil.copy(file, scratch)
    return folder.with_name("resealed")


def edit_config(folder, **changes):
    path = folder / bundle.CONFIG
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return reseal(folder)


def test_columns_and_types(gate_bundle):
    predictor = load(gate_bundle)
    found = predictor({"image": IMAGES})
    assert set(found) == {"is_meteo", "gate_score", "gate_votes"}
    assert (found["is_meteo"].dtype, found["gate_score"].dtype) == (bool, np.float32)
    assert ((found["gate_score"] >= 0) & (found["gate_score"] <= 1)).all()
    assert np.array_equal(found["is_meteo"], found["gate_score"] >= predictor.verdict.threshold_in_force(False))
    assert len(predictor.version) == 12


def test_micro_batches_and_read_only_arrays_change_nothing(gate_bundle):
    locked = IMAGES.copy()
    locked.flags.writeable = False
    whole = load(gate_bundle)({"image": locked})["gate_score"]
    pieces = load(gate_bundle, micro_batch=2)({"image": locked})["gate_score"]
    np.testing.assert_allclose(pieces, whole, atol=1e-6)


def test_an_empty_batch_is_judged(gate_bundle):
    found = load(gate_bundle)({"image": IMAGES[:0]})
    assert (len(found["is_meteo"]), len(found["gate_score"])) == (0, 0)


def test_images_of_another_size_are_refused(gate_bundle):
    with pytest.raises(ValueError, match=r"expected uint8 \(rows, 240, 320, 3\)"):
        load(gate_bundle)({"image": IMAGES[:, :100]})


def test_scores_that_are_not_numbers_never_leave(gate_bundle):
    predictor = load(gate_bundle)
    predictor.model.head.bias.data.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="5 logits"):
        predictor({"image": IMAGES})


def test_operating_points_keep_their_promise():
    targets = np.arange(400) % 2
    votes = {NETWORK: np.random.default_rng(1).normal(1.5 * targets, 1.0)[:, None]}
    calibration = GateCalibration.fit([VoterGroup(votes)], targets)
    scores = calibration.scores(votes).astype(np.float64)
    recall_point = calibration.operating_point(None, 0.99, None)
    precision_point = calibration.operating_point(None, None, 0.95)
    assert recall_score(targets, scores >= recall_point) >= 0.99
    assert precision_score(targets, scores >= precision_point) >= 0.95
    assert recall_point < calibration.threshold < precision_point
    assert calibration.operating_point(0.3, None, None) == 0.3
    assert calibration.operating_point(None, None, None) == calibration.threshold


def test_operating_points_that_are_not_there(gate_bundle):
    careful, usual = load(gate_bundle, min_recall=0.95), load(gate_bundle)
    assert careful.verdict.threshold_in_force(False) < usual.verdict.threshold_in_force(False)
    with pytest.raises(UsageError, match=r"min_recall 0\.42: the gate was calibrated for 0\.9, 0\.95"):
        load(gate_bundle, min_recall=0.42)
    with pytest.raises(UsageError, match="not several"):
        load(gate_bundle, min_recall=0.99, threshold=0.5)
    hopeless = GateCalibration.fit([VoterGroup({NETWORK: np.array([[2.0], [1.0], [-1.0]])})], np.array([0, 1, 0]))
    with pytest.raises(UsageError, match=r"min_precision 0\.9: no threshold reached it"):
        hopeless.operating_point(None, None, 0.9)


def test_a_missing_or_damaged_bundle_is_named(gate_bundle, copy, tmp_path):
    with pytest.raises(UsageError, match=r"jobs/train_gate\.py"):
        load(tmp_path / "nothing")
    weights = copy / bundle.WEIGHTS
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    with pytest.raises(UsageError, match="damaged"):
        load(copy)


def test_weights_with_nan_are_refused(copy):
    tensors = load_file(copy / bundle.WEIGHTS)
    tensors["head.bias"][0] = float("nan")
    save_file(tensors, copy / bundle.WEIGHTS)
    with pytest.raises(UsageError, match=r"NaN or infinity, first head\.bias"):
        load(reseal(copy))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": [224, 224]}, r"image_size: \[224, 224\] in the model, \[320, 240\] here"),
        ({"architecture": "resnet50"}, "architecture: resnet50 in the model, resnet18 here"),
        ({"preprocessing_version": 0}, "preprocessing_version: 0 in the model"),
        ({"stage": "elements"}, "this is a 'elements' model, wanted 'gate'"),
        ({"bundle_version": 999}, "newer meteo_ray"),
    ],
)
def test_a_gate_made_for_something_else_is_refused_with_the_difference(copy, changes, message):
    with pytest.raises(UsageError, match=message):
        load(edit_config(copy, **changes))


def test_a_gate_of_another_vocabulary_judges_as_well(gate_bundle):
    vocabulary = load_vocabulary()
    shorter = Vocabulary(vocabulary.elements[:-1], vocabulary.products)
    assert load(gate_bundle, vocabulary=shorter).version == load(gate_bundle).version


def test_another_network_is_refused(copy):
    tensors = load_file(copy / bundle.WEIGHTS)
    del tensors["head.weight"]
    save_file(tensors, copy / bundle.WEIGHTS)
    with pytest.raises(UsageError, match="not a gate as this"):
        load(reseal(copy))


def test_a_gate_goes_on_from_another_with_its_head(gate_bundle):
    images = torch.from_numpy(IMAGES)
    gate = load(gate_bundle).model
    with torch.inference_mode():
        torch.testing.assert_close(
            GateModel(str(gate_bundle), gate.input_size).eval()(images).chart, gate(images).chart
        )
