"""The encoder in 8 bits: ranges that training observed, the same for everybody, and who cannot use them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from meteo_ray import bundle
from meteo_ray.elements.int8_encoder import RANGES, SAMPLE_IMAGES, activation_ranges, read_ranges, sample_rows
from meteo_ray.elements.predictor import ElementsPredictor
from meteo_ray.elements.task import ElementsTask
from meteo_ray.errors import UsageError
from meteo_ray.files import write_json
from meteo_ray.schema import TRAIN
from tests.elements.conftest import SMALL, colour_index, colour_vocabulary, seal


@pytest.fixture(scope="module")
def full(trained) -> ElementsPredictor:
    return ElementsPredictor.load(trained.bundle, "cpu", precision="fp32")


@pytest.fixture(scope="module")
def small(trained) -> ElementsPredictor:
    return ElementsPredictor.load(trained.bundle, "cpu", quantize="int8")


def test_it_names_the_same_elements_with_nearly_the_same_scores(trained, full, small):
    eight, floats = small(trained.prepared), full(trained.prepared)
    assert 0 < np.abs(eight["element_scores"] - floats["element_scores"]).max() < 0.1
    for one, other in zip(eight["elements"], floats["elements"], strict=True):
        assert {entry["id"] for entry in one} == {entry["id"] for entry in other}


def test_every_process_that_loads_it_computes_the_same_whatever_it_judges_first(trained, small):
    images = torch.from_numpy(np.array(trained.prepared["image"]))
    other = ElementsPredictor.load(trained.bundle, "cpu", quantize="int8")
    with torch.inference_mode():
        expected = small.model.encoder(images).feature_map
        alone = torch.cat([other.model.encoder(image[None]).feature_map for image in images.flip(0)]).flip(0)
    assert torch.equal(alone, expected)


def test_training_observes_the_ranges_on_validation_images(trained, colours, full):
    task = ElementsTask(SMALL, colours.data, colour_vocabulary())
    task.rows(colours.index, TRAIN)
    images = task._sample_images()
    assert images.shape == (18, 240, 320, 3)
    found, kept = activation_ranges(full.model, images), read_ranges(trained.bundle)
    assert found.keys() == kept.keys()
    for name, ends in found.items():
        np.testing.assert_allclose(ends, kept[name], rtol=1e-3, atol=1e-3)
    assert RANGES in (trained.bundle / bundle.SUMS).read_text()


def test_training_ends_well_where_the_sample_images_are_gone(trained, tmp_path):
    index = colour_index(tmp_path / "data", per_split=6)
    task = ElementsTask(SMALL, tmp_path / "data", colour_vocabulary())
    task.rows(index, TRAIN)
    for path in (tmp_path / "data" / "images").glob("validation_*"):
        path.unlink()
    (tmp_path / "bundle").mkdir()
    task.export(task.build().eval(), trained.outputs, tmp_path / "bundle")
    assert not (tmp_path / "bundle" / RANGES).exists()


def test_the_ranges_may_come_from_images_of_ones_own(trained, copied, small):
    (copied / RANGES).unlink()
    seal(copied)
    images = trained.prepared["image"]
    own = ElementsPredictor.load(copied, "cpu", quantize="int8", sample_images=images)
    scores = [predictor({"image": images})["element_scores"] for predictor in (own, small)]
    np.testing.assert_allclose(*scores, atol=0.1)
    with pytest.raises(UsageError, match="no sample image"):
        ElementsPredictor.load(copied, "cpu", quantize="int8", sample_images=images[:0])


def test_a_model_that_was_trained_before_there_were_ranges_says_so(copied):
    (copied / RANGES).unlink()
    seal(copied)
    with pytest.raises(UsageError, match=r"no activation_ranges\.json.*train it again, or leave") as caught:
        ElementsPredictor.load(copied, "cpu", quantize="int8")
    assert "\n" not in str(caught.value)


def test_ranges_of_another_encoder_are_refused(copied):
    ranges = json.loads((copied / RANGES).read_text())
    ranges["layer9_conv1"] = ranges.pop("conv1")
    write_json(copied / RANGES, ranges)
    seal(copied)
    with pytest.raises(UsageError, match="train the elements again"):
        ElementsPredictor.load(copied, "cpu", quantize="int8")


def test_a_gpu_and_a_processor_without_kernels_are_refused(trained, monkeypatch):
    with pytest.raises(UsageError, match="run on a CPU, not on cuda"):
        ElementsPredictor.load(trained.bundle, "cuda", quantize="int8")
    monkeypatch.setattr(torch.backends, "quantized", SimpleNamespace(supported_engines=["none", "qnnpack"]))
    with pytest.raises(UsageError, match="x86-64"):
        ElementsPredictor.load(trained.bundle, "cpu", quantize="int8")


def test_sample_images_are_spread_over_all():
    assert sample_rows(0).tolist() == []
    assert sample_rows(3).tolist() == [0, 1, 2]
    many = sample_rows(10 * SAMPLE_IMAGES + 7)
    assert len(np.unique(many)) == SAMPLE_IMAGES
    assert (many[0], many[-1]) == (0, (SAMPLE_IMAGES - 1) * (10 * SAMPLE_IMAGES + 7) // SAMPLE_IMAGES)
