"""What a sweep of the gate varies: learning rates, the loss's mixture, hard examples (R42)."""

from typing import Any

from ray import tune


def space() -> dict[str, Any]:
    """Setting of jobs/train_gate.py -> where to look."""
    return {
        "gate.backbone_rate": tune.loguniform(2e-5, 1e-3),
        "gate.head_rate": tune.loguniform(2e-4, 5e-3),
        "gate.bce_share": tune.uniform(0.3, 1.0),
        "gate.focal_gamma": tune.uniform(0.5, 4.0),
        "gate.hard_weight": tune.uniform(1.0, 4.0),
        "training.weight_decay": tune.loguniform(1e-6, 1e-2),
    }


def points_to_evaluate() -> list[dict[str, Any]]:
    """Tried after the settings that the sweep starts from: the plan's own values."""
    return [
        {
            "gate.backbone_rate": 1e-4,
            "gate.head_rate": 1e-3,
            "gate.bce_share": 0.7,
            "gate.focal_gamma": 2.0,
            "gate.hard_weight": 2.0,
            "training.weight_decay": 1e-4,
        }
    ]
