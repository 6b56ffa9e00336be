"""Spatial decay attention against its formula in float64."""

import numpy as np
import pytest
import torch

from meteo_ray.retrieval.decay_attention import DecayAttention, axis_decay, decay_matrix


def by_formula(height: int, width: int, decay: float) -> np.ndarray:
    places = [(y, x) for y in range(height) for x in range(width)]
    return np.array([[decay ** (abs(y - v) + abs(x - u)) for v, u in places] for y, x in places])


@pytest.mark.parametrize(("height", "width", "decay"), [(3, 4, 0.9), (1, 5, 0.5), (4, 4, 1.0)])
def test_the_decay_is_that_of_the_distance_along_both_axes(height, width, decay):
    found = decay_matrix(height, width, decay).double().numpy()
    np.testing.assert_allclose(found, by_formula(height, width, decay), rtol=1e-6)
    np.testing.assert_array_equal(found, found.T)


def test_it_is_the_same_computed_along_the_two_axes():
    values = torch.randn(3, 4, 2, dtype=torch.float64)
    along_axes = torch.einsum("yv,xu,vuc->yxc", axis_decay(3, 0.8).double(), axis_decay(4, 0.8).double(), values)
    at_once = (decay_matrix(3, 4, 0.8).double() @ values.reshape(12, 2)).reshape(3, 4, 2)
    torch.testing.assert_close(at_once, along_axes, rtol=1e-6, atol=1e-6)


def attended_by_formula(layer: DecayAttention, features: np.ndarray, decay: float) -> np.ndarray:
    """(softmax(Q K^T / sqrt(size)) * D) V + Conv(V), one image `(channels, height, width)`, in float64."""
    channels, height, width = features.shape
    places = features.reshape(channels, -1).T

    def linear(part):
        return places @ part.weight.detach().double().numpy().T + part.bias.detach().double().numpy()

    query, key, value = linear(layer.query), linear(layer.key), linear(layer.value)
    exponent = query @ key.T / np.sqrt(query.shape[1])
    weights = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    found = ((weights * by_formula(height, width, decay)) @ value).T.reshape(-1, height, width)
    if layer.convolution is not None:
        kernel = layer.convolution.weight.detach().double().numpy()[:, 0]
        grid = np.pad(value.T.reshape(-1, height, width), ((0, 0), (2, 2), (2, 2)))
        for y in range(height):
            for x in range(width):
                found[:, y, x] += (grid[:, y : y + 5, x : x + 5] * kernel).sum(axis=(1, 2))
        found += layer.convolution.bias.detach().double().numpy()[:, None, None]
    return found


@pytest.mark.parametrize("convolution", [True, False])
@pytest.mark.parametrize("decay", [0.7, 1.0])
def test_attention_is_its_formula(decay, convolution):
    torch.manual_seed(0)
    layer = DecayAttention(6, 4, decay, convolution)
    features = torch.randn(2, 6, 3, 5)
    found = layer(features).detach().double().numpy()
    for image in range(2):
        expected = attended_by_formula(layer, features[image].double().numpy(), decay)
        np.testing.assert_allclose(found[image], expected, rtol=1e-4, atol=1e-5)


def test_without_decay_attention_is_plain():
    torch.manual_seed(0)
    layer = DecayAttention(6, 4, decay=1.0, convolution=False)
    features = torch.randn(1, 6, 3, 5)
    places = features.flatten(2).transpose(1, 2)
    plain = torch.nn.functional.scaled_dot_product_attention(
        layer.query(places), layer.key(places), layer.value(places)
    )
    torch.testing.assert_close(layer(features).flatten(2).transpose(1, 2), plain)
    faded = DecayAttention(6, 4, decay=0.5, convolution=False)
    faded.load_state_dict(layer.state_dict())
    assert not torch.allclose(faded(features), layer(features))
