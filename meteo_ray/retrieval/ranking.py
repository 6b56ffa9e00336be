"""How well codes rank what is alike: mAP over a split, in memory that grows with its rows and not with their square."""

from collections.abc import Iterator

import numpy as np

from meteo_ray.metrics.retrieval import expected_average_precision
from meteo_ray.retrieval.codes import Codes, hamming
from meteo_ray.retrieval.relevance import Classes, alike

# Queries that ask together: 64 distances of 8 bytes to each of 100,000 items are 51 MB.
BLOCK_ROWS = 64


def map_of_codes(queries: Codes, classes: Classes, items: Codes, item_classes: Classes) -> float | None:
    """Every query asks all items, ties in any order; None where nothing could be found for any of them."""
    return _mean(_precisions(queries, classes, items, item_classes, others=False))


def map_among_themselves(codes: Codes, classes: Classes) -> float | None:
    """Every code asks all others."""
    return _mean(_precisions(codes, classes, codes, classes, others=True))


def _precisions(
    queries: Codes, classes: Classes, items: Codes, item_classes: Classes, others: bool
) -> Iterator[float | None]:
    for start in range(0, len(queries), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        near, relevant = hamming(queries[block], items), alike(classes[block], item_classes)
        for row, (distances, truth) in enumerate(zip(near, relevant, strict=True)):
            if others:
                distances, truth = np.delete(distances, start + row), np.delete(truth, start + row)
            yield expected_average_precision(distances, truth)


def _mean(found: Iterator[float | None]) -> float | None:
    known = [value for value in found if value is not None]
    return float(np.mean(known)) if known else None
