"""What a sweep of the element stage varies: learning rates, losses and their weights, the parallel head (R42)."""

from typing import Any

from ray import tune


def space() -> dict[str, Any]:
    """Setting of jobs/train_elements.py -> where to look."""
    return {
        "elements.decoder_rate": tune.loguniform(1e-4, 3e-3),
        "elements.encoder_rate": tune.loguniform(2e-5, 1e-3),
        # The parallel loss is a mean over all labels, the sequence's one over a few steps: what matters most.
        "elements.parallel_weight": tune.loguniform(0.3, 30.0),
        "elements.sequence_weight": tune.uniform(0.1, 1.0),
        "elements.parallel_head": tune.choice(["pooled", "query"]),
        "elements.parallel_loss": tune.choice(["focal", "asymmetric"]),
        "elements.focal_gamma": tune.uniform(0.0, 3.0),  # of focal trials; the asymmetric loss keeps its paper's values
        "elements.rare_share": tune.uniform(0.0, 0.2),
        "training.weight_decay": tune.loguniform(1e-6, 1e-2),
    }


def points_to_evaluate() -> list[dict[str, Any]]:
    """Tried after the settings that the sweep starts from: the plan's own values, and the demo's loss weights."""
    plan = {
        "elements.decoder_rate": 5e-4,
        "elements.encoder_rate": 1e-4,
        "elements.parallel_weight": 1.0,
        "elements.sequence_weight": 0.5,
        "elements.parallel_head": "pooled",
        "elements.parallel_loss": "focal",
        "elements.focal_gamma": 2.0,
        "elements.rare_share": 0.0,
        "training.weight_decay": 1e-4,
    }
    return [plan, {**plan, "elements.parallel_weight": 10.0, "elements.focal_gamma": 0.0}]
