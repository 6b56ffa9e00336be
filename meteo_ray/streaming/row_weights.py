"""How much each row counts in training, by its "weight" in labels.jsonl."""

import json
import math

import pyarrow as pa

from meteo_ray.errors import UsageError


def row_weights(rows: pa.Table) -> pa.Array:
    """The rows' "weight" in labels.jsonl, float64 `(rows,)`, 1 where there is none: how much each counts in training.

    Raises:
        UsageError: naming the first row whose weight is no positive number.
    """
    weights = [json.loads(extra or "{}").get("weight", 1.0) for extra in rows["extra"].to_pylist()]
    for path, weight in zip(rows["path"].to_pylist(), weights, strict=True):
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < math.inf:
            raise UsageError(f"labels.jsonl, {path}: weight must be a positive number, not {weight!r}")
    return pa.array(weights, pa.float64())
