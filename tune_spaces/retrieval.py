"""What a sweep of codes for similar charts varies: the loss's weights, how attention fades, the rates."""

from typing import Any

from ray import tune


def space() -> dict[str, Any]:
    """Setting of jobs/train_retrieval.py -> where to look."""
    return {
        "retrieval.pair_weight": tune.loguniform(0.1, 3.0),
        "retrieval.code_weight": tune.loguniform(3.0, 100.0),
        "retrieval.dissimilar": tune.choice(["opposite", "balanced"]),
        "retrieval.decay": tune.uniform(0.7, 1.0),
        "retrieval.head_rate": tune.loguniform(1e-4, 5e-3),
        "training.weight_decay": tune.loguniform(1e-6, 1e-2),
    }


def points_to_evaluate() -> list[dict[str, Any]]:
    """Tried after the settings that the sweep starts from: the paper's loss, where unlike charts are opposite."""
    return [
        {
            "retrieval.pair_weight": 0.6,
            "retrieval.code_weight": 30.0,
            "retrieval.dissimilar": "opposite",
            "retrieval.decay": 0.9,
            "retrieval.head_rate": 5e-4,
            "training.weight_decay": 1e-4,
        }
    ]
