"""What every measure asks of its input, and the counts behind F1."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def checked(targets: ArrayLike, scores: ArrayLike, dimensions: int = 1) -> tuple[NDArray[np.bool_], Floats]:
    truth = np.asarray(targets)
    values = np.asarray(scores, dtype=np.float64)
    if truth.shape != values.shape or truth.ndim != dimensions:
        raise ValueError(f"targets {truth.shape} and scores {values.shape} must be equal, with {dimensions} dimensions")
    if not np.isin(truth, (0, 1)).all():
        raise ValueError("targets must be 0 or 1")
    if not np.isfinite(values).all():
        raise ValueError(f"{int((~np.isfinite(values)).sum())} scores are NaN or infinite")
    return truth.astype(bool), values


def f1_parts(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> dict[str, float | None]:
    """f1, precision and recall; 0 where nothing was found that should have been, None where nothing was to be found."""
    hits, called, positives = int((truth & predicted).sum()), int(predicted.sum()), int(truth.sum())
    return {
        "f1": 2 * hits / (called + positives) if positives else None,
        "precision": hits / called if called else (0.0 if positives else None),
        "recall": hits / positives if positives else None,
    }
