"""What a sweep of the trained cascade varies: how it decides; nothing is trained, no image is judged anew (R42)."""

from typing import Any

from ray import tune


def space() -> dict[str, Any]:
    """Setting under `cascade` of jobs/evaluate.py and jobs/classify_archive.py -> where to look."""
    return {
        "cascade.gate_threshold": tune.uniform(0.05, 0.95),
        "cascade.element_threshold_scale": tune.uniform(0.4, 1.6),
        "cascade.products_below": tune.uniform(0.3, 1.0),
        "cascade.products_blend": tune.uniform(0.0, 2.0),
        "cascade.products_least": tune.uniform(0.0, 0.5),
    }


def points_to_evaluate() -> list[dict[str, Any]]:
    """Half a probability, the elements' own best-F1 thresholds, every chart put to the language model as calibrated."""
    return [
        {
            "cascade.gate_threshold": 0.5,
            "cascade.element_threshold_scale": 1.0,
            "cascade.products_below": 1.0,
            "cascade.products_blend": 1.0,
            "cascade.products_least": 0.0,
        }
    ]
