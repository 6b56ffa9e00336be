"""Quality of per-label scores: mean average precision, micro- and macro-F1 (R26)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score

from meteo_ray.metrics.checks import Floats, checked, f1_parts


def multilabel_metrics(
    targets: ArrayLike, scores: ArrayLike, thresholds: ArrayLike, names: Sequence[str]
) -> dict[str, Any]:
    """Quality of per-label scores over a split (R26).

    Args:
        targets: `(n, labels)` of 0 and 1.
        scores: `(n, labels)` probabilities.
        thresholds: `(labels,)`, or `(n, labels)` where they differ from row to row.
        names: one per label.

    Returns:
        map, micro_f1, macro_f1 (means over the labels that occur; None when none does), ap, f1, precision and recall
        {name: value or None}, support and called {name: rows that show it, that it is named for}, without_positives
        [names], count.
    """
    truth, values = checked(targets, scores, dimensions=2)
    predicted = values >= np.asarray(thresholds, dtype=np.float64)
    support = truth.sum(axis=0)
    ap = _average_precisions(truth, values)
    parts = [f1_parts(truth[:, label], predicted[:, label]) for label in range(len(names))]
    return {
        "map": _mean(ap),
        "micro_f1": f1_parts(truth.ravel(), predicted.ravel())["f1"],
        "macro_f1": _mean([part["f1"] for part in parts]),
        "ap": dict(zip(names, ap, strict=True)),
        **{key: dict(zip(names, (part[key] for part in parts), strict=True)) for key in ("f1", "precision", "recall")},
        "support": dict(zip(names, support.tolist(), strict=True)),
        "called": dict(zip(names, predicted.sum(axis=0).tolist(), strict=True)),
        "without_positives": [name for name, rows in zip(names, support, strict=True) if not rows],
        "count": len(truth),
    }


def mean_average_precision(targets: ArrayLike, scores: ArrayLike) -> float | None:
    """map alone, of scores `(n, labels)` on any rising scale."""
    return _mean(_average_precisions(*checked(targets, scores, dimensions=2)))


def _average_precisions(truth: NDArray[np.bool_], values: Floats) -> list[float | None]:
    return [average_precision(*column) for column in zip(truth.T, values.T, strict=True)]


def average_precision(targets: ArrayLike, scores: ArrayLike) -> float | None:
    """Area under the precision-recall steps, `sum (R_i - R_{i-1}) P_i`, ties in one step; None without a positive."""
    truth, values = checked(targets, scores)
    # The sum may pass 1 by its last bit.
    return min(float(average_precision_score(truth, values)), 1.0) if truth.any() else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
