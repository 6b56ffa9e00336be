"""Bits in bytes and their distances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.retrieval.codes import code_bytes, hamming, pack


@given(st.integers(1, 64), st.integers(0, 2**32 - 1))
def test_distances_of_packed_codes_count_the_signs_that_differ(bits, seed):
    rng = np.random.default_rng(seed)
    first, second = rng.standard_normal((3, bits)), rng.standard_normal((4, bits))
    first[0, 0] = 0.0  # counts as positive
    codes = pack(first), pack(second)
    assert codes[0].shape == (3, code_bytes(bits))
    expected = ((first[:, None] >= 0) != (second[None] >= 0)).sum(axis=2)
    np.testing.assert_array_equal(hamming(*codes), expected)


def test_codes_of_different_lengths_have_no_distance():
    with pytest.raises(ValueError, match="no distance"):
        hamming(np.zeros((1, 2), np.uint8), np.zeros((1, 3), np.uint8))
