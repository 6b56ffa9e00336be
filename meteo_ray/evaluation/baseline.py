"""What the gate must beat: gradient boosting on hand-made descriptors, trained on the train split in seconds."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier

from meteo_ray.evaluation.calibration import best_f1_threshold
from meteo_ray.evaluation.judging import judge
from meteo_ray.evaluation.metrics import binary_metrics
from meteo_ray.gate.descriptors import PrepareDescriptors
from meteo_ray.schema import Batch


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
    started = perf_counter()
    model = HistGradientBoostingClassifier(random_state=seed, class_weight="balanced").fit(*known["train"])
    seconds = perf_counter() - started
    scores = {name: model.predict_proba(x)[:, 1] for name, (x, _) in known.items() if name != "train"}
    threshold = best_f1_threshold(known["validation"][1], scores["validation"])
    return {
        **binary_metrics(known["scored"][1], scores["scored"], threshold),
        "train_rows": len(known["train"][1]),
        "training_seconds": seconds,
    }


def _descriptors(
    label: str, rows: pa.Table, pixels: Callable[[Batch], Batch], workers: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors `(rows, FEATURES)` and is_meteo `(rows,)` of the rows that could be read."""
    prepare = PrepareDescriptors(pixels, keep_image=False)
    judged = judge(label, lambda batch: {"descriptors": batch["descriptors"]}, rows, prepare, (), 64, workers)
    return judged.columns["descriptors"], np.array(judged.rows["is_meteo"].to_pylist(), dtype=bool)
