"""Quality on parts of a split: by where images come from, what they are, and what augmentation did to them (R14)."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa

# The JSON keys of labels.jsonl that results are broken down by, beside the source.
SLICED_KEYS = ("kind", "language")

AUGMENTATION = "augmentation"

# What `by_record` calls the rows to which a part was not applied.
NOT_APPLIED = "none"

Slices = dict[str, dict[str, dict[str, Any]]]
"""Key (source, kind, ...) -> value -> the metrics of the rows that have it; a key that no row has is empty."""


def sliced(rows: pa.Table, augmented: Iterable[Any], score: Callable[[np.ndarray], dict[str, Any]]) -> Slices:
    """`score` of every slice's members, bool `(n,)`.

    Args:
        rows: of the index, with source and extra.
        augmented: what augmentation did to each row, as JSON; empty where that is not known.
        score: members -> metrics.
    """
    members = _members(rows, augmented)
    return {key: {value: score(chosen) for value, chosen in values.items()} for key, values in members.items()}


def by_record(augmented: Iterable[Any], part: str, key: str) -> dict[str, np.ndarray]:
    """Which rows have each value that augmentation recorded of a part under `key`, or NOT_APPLIED, bool `(n,)`.

    `augmented` is what augmentation did to each row, as JSON; values that no row has are left out.
    """
    records = [json.loads(str(text)) for text in augmented]
    values = np.array([str(record[part][key]) if part in record else NOT_APPLIED for record in records], dtype=str)
    return {str(value): values == value for value in np.unique(values)}


def _members(rows: pa.Table, augmented: Iterable[Any]) -> dict[str, dict[str, np.ndarray]]:
    """Key -> value -> which rows have it, bool `(n,)`."""
    extra = [json.loads(text or "{}") for text in rows["extra"].to_pylist()]
    keys = {"source": rows["source"].to_pylist()}
    keys.update({key: [entry.get(key) for entry in extra] for key in SLICED_KEYS})
    found: dict[str, dict[str, np.ndarray]] = {}
    for key, values in keys.items():
        names = sorted({str(value) for value in values if value is not None})
        found[key] = {name: np.array([str(value) == name for value in values]) for name in names}
    return {**found, AUGMENTATION: _by_augmentation(augmented)}


def _by_augmentation(augmented: Iterable[Any]) -> dict[str, np.ndarray]:
    """For every part that was applied to some row: the rows with it, and those without."""
    records = [json.loads(str(text)) for text in augmented]
    found: dict[str, np.ndarray] = {}
    for part in sorted({part for record in records for part in record}):
        applied = np.array([part in record for record in records])
        found[f"{part} applied"] = applied
        if not applied.all():
            found[f"{part} not applied"] = ~applied
    return found
