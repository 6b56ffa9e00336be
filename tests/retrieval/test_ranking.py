"""mAP of codes, block by block, is that of all pairs at once."""

import tracemalloc

import numpy as np
import pytest

from meteo_ray.metrics.retrieval import mean_expected_average_precision, without_itself
from meteo_ray.retrieval.codes import hamming
from meteo_ray.retrieval.ranking import BLOCK_ROWS, map_among_themselves, map_of_codes
from meteo_ray.retrieval.relevance import alike


def drawn(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes of two bytes and classes of which some rows have none."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 4, (rows, 2), dtype=np.uint8), rng.random((rows, 5)) < 0.2


@pytest.mark.parametrize("rows", [1, 2, BLOCK_ROWS, 2 * BLOCK_ROWS + 7])
def test_blocks_change_nothing(rows):
    (codes, classes), (items, item_classes) = drawn(rows, 0), drawn(50, 1)
    expected = mean_expected_average_precision(hamming(codes, items), alike(classes, item_classes))
    assert map_of_codes(codes, classes, items, item_classes) == pytest.approx(expected)
    pairs = without_itself(hamming(codes, codes)), without_itself(alike(classes, classes))
    assert map_among_themselves(codes, classes) == pytest.approx(mean_expected_average_precision(*pairs))


def test_nothing_to_be_found_has_no_value():
    codes, classes = drawn(3, 0)
    assert map_among_themselves(codes, np.zeros_like(classes)) is None
    assert map_among_themselves(codes[:0], classes[:0]) is None


def test_memory_does_not_grow_with_the_square_of_the_rows():
    codes, classes = drawn(2000, 0)
    tracemalloc.start()
    map_among_themselves(codes, classes)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(codes) ** 2  # a byte a pair; distances alone take eight
