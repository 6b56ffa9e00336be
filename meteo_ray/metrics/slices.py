"""Quality on parts of a split: by where images come from, what they are, and what augmentation did to them (R14)."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from meteo_ray.metrics.binary import binary_metrics
from meteo_ray.metrics.multilabel import multilabel_metrics
from meteo_ray.streaming.judge import Judged

# The JSON keys of labels.jsonl that results are broken down by, beside the source.
SLICED_KEYS = ("kind", "language")

AUGMENTATION = "augmentation"

Slices = dict[str, dict[str, dict[str, Any]]]
"""Key (source, kind, ...) -> value -> the metrics of the rows that have it; a key that no row has is empty."""


def gate_slices(judged: Judged, threshold: float) -> Slices:
    """Per slice: rows, positives, accuracy, recall, false_alarm_rate and auc; None where undefined."""
    targets = np.array(judged.rows["is_meteo"].to_pylist(), dtype=bool)
    scores = np.asarray(judged.columns["gate_score"], dtype=np.float64)

    def score(rows: np.ndarray) -> dict[str, Any]:
        found = binary_metrics(targets[rows], scores[rows], threshold)
        called = scores[rows] >= threshold
        return {
            "rows": int(rows.sum()),
            "positives": found["positives"],
            "accuracy": found["accuracy"],
            "recall": _share(called[targets[rows]]),
            "false_alarm_rate": _share(called[~targets[rows]]),
            "auc": found["auc"],
        }

    return _sliced(judged, score)


def elements_slices(
    judged: Judged, targets: np.ndarray, scores: np.ndarray, thresholds: np.ndarray, names: Sequence[str]
) -> Slices:
    """Per slice: rows, micro_f1 and map of `targets` and `scores` `(n, labels)`; None where undefined."""

    def score(rows: np.ndarray) -> dict[str, Any]:
        found = multilabel_metrics(targets[rows], scores[rows], thresholds, names)
        return {"rows": found["count"], "micro_f1": found["micro_f1"], "map": found["map"]}

    return _sliced(judged, score)


def _sliced(judged: Judged, score: Callable[[np.ndarray], dict[str, Any]]) -> Slices:
    return {key: {value: score(rows) for value, rows in values.items()} for key, values in _members(judged).items()}


def _members(judged: Judged) -> dict[str, dict[str, np.ndarray]]:
    """Key -> value -> which rows have it, bool `(n,)`."""
    extra = [json.loads(text or "{}") for text in judged.rows["extra"].to_pylist()]
    keys = {"source": judged.rows["source"].to_pylist()}
    keys.update({key: [entry.get(key) for entry in extra] for key in SLICED_KEYS})
    found: dict[str, dict[str, np.ndarray]] = {}
    for key, values in keys.items():
        names = sorted({str(value) for value in values if value is not None})
        found[key] = {name: np.array([str(value) == name for value in values]) for name in names}
    return {**found, AUGMENTATION: _by_augmentation(judged)}


def _by_augmentation(judged: Judged) -> dict[str, np.ndarray]:
    """For every part that was applied to some row: the rows with it, and those without."""
    records = [json.loads(str(text)) for text in judged.columns.get("augmented", ())]
    found: dict[str, np.ndarray] = {}
    for part in sorted({part for record in records for part in record}):
        applied = np.array([part in record for record in records])
        found[f"{part} applied"] = applied
        if not applied.all():
            found[f"{part} not applied"] = ~applied
    return found


def _share(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
