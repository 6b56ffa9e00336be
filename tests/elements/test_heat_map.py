"""A heat map lies where the network reads a label, whatever its parallel head is made of."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from meteo_ray.elements.encoder import Features
from meteo_ray.elements.heat_map import heat_map, overlaid
from meteo_ray.elements.model import ElementsDimensions, ElementsModel
from meteo_ray.elements.predictor import ElementsPredictor
from meteo_ray.elements.seen_where import examples

GREY = torch.full((240, 320, 3), 128, dtype=torch.uint8)


class CornerStage(nn.Module):
    """In the place of the encoder's last stage: channels bright in one corner, in the opposite one, everywhere."""

    def forward(self, features: Tensor) -> Tensor:
        found = torch.zeros(len(features), 512, *features.shape[2:])
        found[:, 0, 0, 0] = found[:, 1, -1, -1] = found[:, 2] = 1.0
        return found


class SquaredHead(nn.Module):
    """Linear in the squares, so that its gradient depends on where it is taken."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, features: Features) -> Tensor:
        return features.pooled.square() @ self.weight.T


@pytest.fixture
def model() -> ElementsModel:
    """Label 0 reads channel 0, label 1 channel 1, label 2 speaks against all that it sees."""
    found = ElementsModel(ElementsDimensions(3, "resnet18", (64, 48))).eval()
    found.encoder.backbone.layer4 = CornerStage()
    with torch.no_grad():
        found.parallel_head.weight.zero_()
        found.parallel_head.weight[0, 0] = found.parallel_head.weight[1, 1] = 2.0
        found.parallel_head.weight[2, :3] = -1.0
    return found


def test_the_corner_that_a_label_depends_on_lights_up(model):
    upper, lower = heat_map(model, GREY, 0), heat_map(model, GREY, 1)
    assert (upper.dtype, upper[0, 0], upper.sum()) == (np.float32, 1.0, 1.0)
    assert (lower[-1, -1], lower.sum()) == (1.0, 1.0)
    assert not heat_map(model, GREY, 2).any()


def test_any_head_and_a_frozen_network_will_do(model):
    model.parallel_head = SquaredHead(model.parallel_head.weight.detach())
    model.requires_grad_(False)
    with torch.inference_mode(False), torch.no_grad():
        found = heat_map(model, GREY, 0)
    assert (found[0, 0], found.sum()) == (1.0, 1.0)


def test_of_a_pooled_linear_head_it_is_class_activation_mapping():
    torch.manual_seed(0)
    model = ElementsModel(ElementsDimensions(3, "resnet18", (128, 96))).eval()
    image = torch.randint(0, 256, (240, 320, 3), dtype=torch.uint8)
    seen: list[Tensor] = []
    with torch.no_grad(), model.encoder.backbone.register_forward_hook(lambda *call: seen.append(call[2])):
        model.encode(image[None])
    expected = torch.relu(torch.einsum("c,chw->hw", model.parallel_head.weight[1].detach(), seen[0][0]))
    np.testing.assert_allclose(heat_map(model, image, 1), (expected / expected.max()).numpy(), atol=1e-5)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.encoder.backbone._forward_hooks


def test_the_predictor_maps_every_image(trained):
    predictor = ElementsPredictor.load(trained.bundle, "cpu", precision="fp32")
    images = list(trained.prepared["image"][:2])
    maps = predictor.heat_maps(images, [0, 1])
    assert [found.shape for found in maps] == [(2, 2), (2, 2)]
    assert predictor.heat_maps([], []) == []
    before, after = predictor({"image": np.stack(images)}), predictor({"image": np.stack(images)})
    np.testing.assert_array_equal(before["element_scores"], after["element_scores"])


def test_the_hot_place_is_coloured_and_the_rest_is_grey():
    image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    heat = np.zeros((3, 4), np.float32)
    heat[0, 0] = 1.0
    drawn = np.asarray(overlaid(image, heat)).astype(int)
    spread = drawn.max(axis=2) - drawn.min(axis=2)
    assert drawn.shape == image.shape
    assert (spread[:4, :4] > 50).all()
    assert not spread[12:, 16:].any()


def test_examples_take_turns_among_the_labels():
    scores = np.array([[0.9, 0.1], [0.8, 0.7], [0.95, 0.2], [0.1, 0.6]], dtype=np.float32)
    cells = np.array([[1, 0], [1, 1], [1, 0], [0, 1]], dtype=bool)
    assert examples(cells, scores, 3) == [(2, 0), (3, 1), (0, 0)]
    assert examples(cells, scores, 12) == [(2, 0), (3, 1), (0, 0), (1, 0)]
    assert examples(np.zeros_like(cells), scores, 3) == []
