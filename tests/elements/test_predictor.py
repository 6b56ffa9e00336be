"""Bundle and predictor: what was exported is what answers, and what does not fit is refused."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from meteo_ray import bundle
from meteo_ray.elements.calibration import of_network
from meteo_ray.elements.predictor import ElementsPredictor
from meteo_ray.errors import UsageError
from meteo_ray.files import write_json
from meteo_ray.vocabulary import Vocabulary
from tests.elements.conftest import colour_vocabulary, seal


@pytest.fixture(scope="module")
def predictor(trained) -> ElementsPredictor:
    return ElementsPredictor.load(trained.bundle, "cpu", colour_vocabulary(), precision="fp32")


def test_the_loaded_bundle_scores_like_the_trained_model(trained, predictor):
    votes = of_network(trained.outputs["parallel"], trained.outputs["emitted"])
    expected = predictor.verdict.image.scores(votes)
    found = predictor(trained.prepared)
    np.testing.assert_allclose(found["element_scores"], expected, atol=1e-4)
    assert found["element_scores"].dtype == np.float32
    assert len(predictor.version) == 12


def test_columns_agree_with_scores_and_truth(trained, predictor):
    found = predictor(trained.prepared)
    ids = list(predictor.element_ids)
    for row, truth in enumerate(trained.prepared["elements"]):
        shown = found["elements"][row]
        scores = [entry["score"] for entry in shown]
        assert scores == sorted(scores, reverse=True)
        above = found["element_scores"][row] >= predictor.verdict.image.thresholds
        assert {entry["id"] for entry in shown} == {ids[label] for label in np.flatnonzero(above)}
        sequence = found["element_sequence"][row]
        assert sorted(sequence) == sorted(truth) == sorted(entry["id"] for entry in shown)


def test_scores_do_not_depend_on_the_batch_split(trained, predictor):
    whole = predictor(trained.prepared)
    small = ElementsPredictor.load(trained.bundle, "cpu", precision="fp32", micro_batch=5)
    for found in (small(trained.prepared), _in_pieces(predictor, trained.prepared["image"], (1, 7, 10))):
        np.testing.assert_allclose(found["element_scores"], whole["element_scores"], atol=1e-5)
        assert [list(s) for s in found["element_sequence"]] == [list(s) for s in whole["element_sequence"]]


def _in_pieces(predictor, images, sizes):
    starts = np.cumsum((0, *sizes[:-1]))
    parts = [predictor({"image": images[a : a + n]}) for a, n in zip(starts, sizes, strict=True)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def test_an_empty_batch_gives_empty_columns(predictor):
    found = predictor({"image": np.zeros((0, 240, 320, 3), np.uint8)})
    assert found["element_scores"].shape == (0, 4)
    assert len(found["elements"]) == len(found["element_sequence"]) == 0


def test_a_wider_beam_can_be_asked_for(trained, predictor):
    wide = ElementsPredictor.load(trained.bundle, "cpu", precision="fp32", beam_width=5)
    assert (predictor.beam_width, wide.beam_width) == (3, 5)
    assert wide({"image": trained.prepared["image"][:3]})["element_scores"].shape == (3, 4)


def test_images_of_another_size_are_a_defect(predictor):
    with pytest.raises(ValueError, match=r"expected uint8 \(rows, 240, 320, 3\)"):
        predictor({"image": np.zeros((2, 120, 160, 3), np.uint8)})


def test_another_label_order_is_refused_with_a_diff(trained):
    ours = colour_vocabulary()
    swapped = Vocabulary((ours.elements[1], ours.elements[0], *ours.elements[2:]), ours.products)
    with pytest.raises(UsageError, match="position 0: pressure in the vocabulary, wind in the model"):
        ElementsPredictor.load(trained.bundle, "cpu", swapped)


def test_labels_that_are_not_those_of_the_weights_are_refused(copied):
    config = json.loads((copied / bundle.CONFIG).read_text())
    config["labels"] = config["labels"][:3]
    write_json(copied / bundle.CONFIG, config)
    seal(copied)
    with pytest.raises(UsageError, match=r"labels: .* in the model, .*snow.* here"):
        ElementsPredictor.load(copied, "cpu")


def test_images_of_another_preprocessing_are_refused(copied):
    config = json.loads((copied / bundle.CONFIG).read_text())
    config["image_size"] = [640, 480]
    write_json(copied / bundle.CONFIG, config)
    seal(copied)
    with pytest.raises(UsageError, match=r"image_size: \[640, 480\] in the model, \[320, 240\] here"):
        ElementsPredictor.load(copied, "cpu")


def test_nan_weights_are_refused(copied):
    tensors = load_file(copied / bundle.WEIGHTS)
    tensors["projection.bias"][0] = torch.nan
    save_file(tensors, copied / bundle.WEIGHTS)
    with pytest.raises(UsageError, match="damaged"):
        ElementsPredictor.load(copied, "cpu")
    seal(copied)
    with pytest.raises(UsageError, match=r"NaN or infinity, first projection\.bias"):
        ElementsPredictor.load(copied, "cpu")


def test_weights_of_another_network_are_refused(copied):
    tensors = load_file(copied / bundle.WEIGHTS)
    del tensors["decoder.label_matrix.bias"]
    save_file(tensors, copied / bundle.WEIGHTS)
    seal(copied)
    with pytest.raises(UsageError, match="not an element model"):
        ElementsPredictor.load(copied, "cpu")


def test_calibration_that_lacks_a_label_is_refused(copied):
    document = json.loads((copied / bundle.CALIBRATION).read_text())
    del document["image"]["labels"]["rain"]
    write_json(copied / bundle.CALIBRATION, document)
    seal(copied)
    with pytest.raises(UsageError, match="rain"):
        ElementsPredictor.load(copied, "cpu")


def test_config_tells_what_the_model_is(trained):
    config = json.loads((trained.bundle / bundle.CONFIG).read_text())
    assert config["stage"] == "elements"
    assert config["input_size"] == [64, 48]
    assert config["labels"] == ["wind", "pressure", "rain", "snow"]
    assert list(config["label_counts"].items()) == [("wind", 12), ("pressure", 6), ("rain", 6), ("snow", 3)]
