"""Which charts are alike, as classes of each chart: its product, or the elements that it shows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from meteo_ray.errors import UsageError
from meteo_ray.retrieval.config import Relevance
from meteo_ray.vocabulary import Vocabulary

Classes = NDArray[np.bool_]
"""`(rows, classes)`: several may be true where elements are the classes."""

COLUMN: dict[Relevance, str] = {"products": "product", "elements": "elements"}


def class_names(relevance: Relevance, vocabulary: Vocabulary) -> tuple[str, ...]:
    return tuple(vocabulary.product_ids if relevance == "products" else vocabulary.element_ids)


def labelled(index: pa.Table, split: str, relevance: Relevance) -> pa.Table:
    """The charts of a split of which it is known what they are like.

    Raises:
        UsageError: when there are fewer than two.
    """
    column = index[COLUMN[relevance]]
    known = pc.is_valid(column)
    if relevance == "elements":
        known = pc.and_(known, pc.greater(pc.fill_null(pc.list_value_length(column), 0), 0))
    chart = pc.and_(pc.equal(index["split"], split), pc.fill_null(index["is_meteo"], False))
    found = index.filter(pc.and_(chart, known))
    if found.num_rows < 2:
        other = "elements" if relevance == "products" else "products"
        raise UsageError(
            f"the {split} split has {found.num_rows} charts with known {relevance}, and charts are compared by them: "
            f"add some to labels.jsonl, or give --retrieval.relevance {other}"
        )
    return found


def classes_of(values: Sequence[Any], relevance: Relevance, vocabulary: Vocabulary) -> Classes:
    """The classes of rows by what stands in their column `COLUMN[relevance]`.

    Raises:
        UsageError: for a name that the vocabulary lacks.
    """
    names = class_names(relevance, vocabulary)
    position = {name: number for number, name in enumerate(names)}
    classes = np.zeros((len(values), len(names)), dtype=bool)
    for row, value in enumerate(values):
        for name in [value] if relevance == "products" else value:
            if name not in position:
                raise UsageError(
                    f"the index holds {name!r} among its {relevance}, which the vocabulary lacks: it was prepared with "
                    "another one; run jobs/prepare_data.py again"
                )
            classes[row, position[name]] = True
    return classes


def one_product(values: Sequence[Any], vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """`(rows, products)`: the product of each row, none where it is not known or not in the vocabulary."""
    return np.array(values, dtype=object)[:, None] == np.array(vocabulary.product_ids, dtype=object)[None]


def alike(first: Classes, second: Classes) -> NDArray[np.bool_]:
    """Whether two charts share a class, `(first rows, second rows)`."""
    return (first.astype(np.float32) @ second.astype(np.float32).T) > 0
