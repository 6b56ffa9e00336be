"""Which rows of the index the element stage uses, and how often they show each element."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from meteo_ray.errors import UsageError
from meteo_ray.vocabulary import Vocabulary


def labelled_charts(index: pa.Table, split: str) -> pa.Table:
    """The rows of a split that are weather charts and whose elements are known (R1: `[]` is known, null is not)."""
    chart = pc.and_(pc.equal(index["split"], split), pc.and_(index["is_meteo"], pc.is_valid(index["elements"])))
    return index.filter(pc.fill_null(chart, False))


def count_labels(rows: pa.Table, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """Rows that show each label, `(labels,)`.

    Raises:
        UsageError: when a row names an element that the vocabulary lacks.
    """
    counts = np.zeros(len(vocabulary.elements), dtype=np.int64)
    for entry in pc.value_counts(pc.list_flatten(rows["elements"])).to_pylist():
        position = vocabulary.element_position.get(entry["values"])
        if position is None:
            raise UsageError(
                f"the index holds the element {entry['values']!r}, which the vocabulary lacks: it was prepared with "
                "another one; run jobs/prepare_data.py again"
            )
        counts[position] = entry["counts"]
    return counts
