"""What the gate must beat: gradient boosting on hand-made descriptors, trained on the train split in seconds."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier

from meteo_ray.batch import Batch
from meteo_ray.calibration.thresholds import best_f1_threshold
from meteo_ray.judging.judge import judge
from meteo_ray.metrics.binary import binary_metrics
from meteo_ray.streaming.row_weights import row_weights
from meteo_ray.voters.descriptors import PrepareDescriptors


def gate_baseline(
    train: pa.Table,
    validation: pa.Table,
    scored: pa.Table,
    pixels: Callable[[Batch], Batch],
    seed: int,
    workers: int | None,
) -> dict[str, Any]:
    """Train on `train`, take the threshold of best F1 from `validation`, and score `scored`.

    All are rows of the index whose is_meteo is known; `pixels` prepares them.

    Returns:
        `binary_metrics` of `scored`, train_rows and training_seconds.
    """
    known = {}
    for name, rows in (("train", train), ("validation", validation), ("scored", scored)):
        known[name] = _descriptors(f"descriptors of {name} rows", rows, pixels, workers)
    descriptors, targets, weights = known["train"]
    started = perf_counter()
    model = HistGradientBoostingClassifier(random_state=seed, class_weight="balanced")
    model.fit(descriptors, targets, sample_weight=weights)
    seconds = perf_counter() - started
    scores = {name: model.predict_proba(known[name][0])[:, 1] for name in ("validation", "scored")}
    threshold = best_f1_threshold(known["validation"][1], scores["validation"])
    return {
        **binary_metrics(known["scored"][1], scores["scored"], threshold),
        "train_rows": len(targets),
        "training_seconds": seconds,
    }


# Of the index, besides what pixels need.
COLUMNS = ("is_meteo", "weight")


def _descriptors_alone(batch: Batch) -> Batch:
    return {"descriptors": batch["descriptors"]}


def _descriptors(
    label: str, rows: pa.Table, pixels: Callable[[Batch], Batch], workers: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Descriptors `(rows, FEATURES)`, is_meteo and weight `(rows,)` of the rows that could be read."""
    prepare = PrepareDescriptors(pixels, keep_image=False)
    weighted = rows.append_column("weight", row_weights(rows))
    judged = judge(label, _descriptors_alone, weighted, prepare, COLUMNS, 64, workers)
    targets = np.array(judged.rows["is_meteo"].to_pylist(), dtype=bool)
    return judged.columns["descriptors"], targets, np.array(judged.rows["weight"])
