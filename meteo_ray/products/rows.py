"""The charts that the product stage learns from: of known product, with what earlier stages answered beside."""

import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray.batch import ANSWERED, Batch, objects
from meteo_ray.errors import UsageError
from meteo_ray.streaming.pixels import PIXEL_COLUMNS
from meteo_ray.text.table import with_texts
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.vocabulary import Vocabulary

EVIDENCE = (f"{ANSWERED}elements", f"{ANSWERED}element_scores", f"{ANSWERED}descriptors", "title", "text")
"""Columns of what is known of a chart beside its pixels; those that nobody answered are missing."""


def product_rows(index: pa.Table, split: str, inputs: TaskInputs) -> pa.Table:
    """PIXEL_COLUMNS, `elements` and EVIDENCE of one split's charts whose product is known.

    Raises:
        UsageError: when there are none, or a product is not in the vocabulary.
    """
    found = index.filter(pc.and_(pc.equal(index["split"], split), pc.is_valid(index["product"])))
    if not found.num_rows:
        raise UsageError(
            f"the {split} split has no row with a product; add products to labels.jsonl or split otherwise "
            "(jobs/prepare_data.py --split-by)"
        )
    require_known(found, inputs.vocabulary)
    found = with_texts(found, inputs.data, inputs.index_folder)
    kept = (*PIXEL_COLUMNS, "elements", *EVIDENCE)
    return found.select([name for name in kept if name in found.column_names])


def require_known(rows: pa.Table, vocabulary: Vocabulary) -> None:
    """Raises UsageError naming the products of an index's rows that the vocabulary lacks."""
    unknown = sorted(set(rows["product"].to_pylist()) - {None, *vocabulary.product_ids})
    if unknown:
        raise UsageError(
            f"the index holds products that the vocabulary lacks: {', '.join(unknown)}; run jobs/prepare_data.py "
            "again with this vocabulary"
        )


def as_batch(rows: pa.Table, *names: str) -> Batch:
    """Some columns of rows in memory, those that they have."""
    return {name: objects(rows[name].to_pylist()) for name in names if name in rows.column_names}
