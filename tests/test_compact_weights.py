"""Weights in a quarter of their bytes: how near they come back, and that others stay as they are."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.compact_weights import packed, unpacked


@given(seed=st.integers(0, 10**6), spread=st.sampled_from([1e-6, 1.0, 1e4]))
def test_no_value_moves_by_more_than_half_a_step_of_its_output(seed, spread):
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.logspace(-3, 3, 16)[:, None, None, None] * spread
    weights = torch.randn((16, 64, 3, 3), generator=generator) * outputs
    back = unpacked(packed({"conv.weight": weights}))["conv.weight"]
    steps = weights.abs().flatten(1).amax(dim=1)[:, None, None, None] / 127
    assert back.dtype == torch.float32
    assert ((back - weights).abs() <= 0.5001 * steps).all()


def test_small_tensors_and_numbers_stay_as_they_are():
    tensors = {"bias": torch.linspace(-3, 3, 100), "seen": torch.tensor(7), "nothing": torch.zeros(80, 80)}
    found = packed(tensors)
    assert {name: tensor.dtype for name, tensor in found.items()} == {
        "bias": torch.float32,
        "seen": torch.int64,
        "nothing.int8": torch.int8,
        "nothing.scale": torch.float32,
    }
    back = unpacked(found)
    assert torch.equal(back["bias"], tensors["bias"])
    assert back["seen"] == 7
    assert not back["nothing"].any()


def test_what_was_never_packed_comes_back_as_it_is():
    tensors = {"head.scale": torch.ones(3), "whole": torch.randn(70, 70), "half": torch.ones(2, dtype=torch.bfloat16)}
    back = unpacked(tensors)
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[name], tensors[name]) and back[name].dtype == tensors[name].dtype for name in tensors)


def test_a_scale_that_is_missing_is_an_error():
    found = packed({"a": torch.randn(70, 70)})
    del found["a.scale"]
    with pytest.raises(KeyError, match=r"a\.scale"):
        unpacked(found)
