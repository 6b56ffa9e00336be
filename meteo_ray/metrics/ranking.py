"""Quality of ranked answers: top-1, top-3, top-5 (R36)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from meteo_ray.metrics.calibration_error import expected_calibration_error


def ranking_metrics(
    targets: Sequence[str], ranked: Sequence[Sequence[str]], confidence: ArrayLike
) -> dict[str, float | None]:
    """Quality of ranked answers: share of rows whose right answer is among the first 1, 3 and 5 (R36).

    Args:
        targets: the right answer of each row.
        ranked: each row's answers, best first; may be empty.
        confidence: `(n,)` probability given to the first answer.

    Returns:
        top1, top3, top5, ece of the first answer (None without rows), count.
    """
    positions = [
        list(answers).index(target) if target in answers else None for target, answers in _pairs(targets, ranked)
    ]
    result: dict[str, float | None] = {}
    for depth in (1, 3, 5):
        hits = [position is not None and position < depth for position in positions]
        result[f"top{depth}"] = float(np.mean(hits)) if hits else None
    right = [position == 0 for position in positions]
    result["ece"] = expected_calibration_error(right, confidence) if right else None
    result["count"] = len(positions)
    return result


def _pairs(targets: Sequence[str], ranked: Sequence[Sequence[str]]) -> list[tuple[str, Sequence[str]]]:
    return list(zip(targets, ranked, strict=True))
