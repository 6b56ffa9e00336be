"""What a sweep of the trained cascade varies: thresholds only, nothing is trained (R42)."""

from typing import Any

from ray import tune


def space() -> dict[str, Any]:
    """Setting under `cascade` of jobs/evaluate.py and jobs/classify_archive.py -> where to look."""
    return {
        "cascade.gate_threshold": tune.uniform(0.05, 0.95),
        "cascade.element_threshold_scale": tune.uniform(0.4, 1.6),
        "cascade.products_below": tune.uniform(0.3, 1.0),
    }


def points_to_evaluate() -> list[dict[str, Any]]:
    """Half a probability, the elements' own best-F1 thresholds, and every chart put to the language model."""
    return [{"cascade.gate_threshold": 0.5, "cascade.element_threshold_scale": 1.0, "cascade.products_below": 1.0}]
