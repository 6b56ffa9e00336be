"""What a sweep of the product stage varies: learning rate, adapter, loss, what is asked and how often (R42)."""

from typing import Any

from ray import tune


def space() -> dict[str, Any]:
    """Setting of jobs/train_products.py -> where to look."""
    return {
        "products.learning_rate": tune.loguniform(5e-5, 2e-3),
        "products.lora_alpha": tune.choice([8.0, 16.0, 32.0]),
        "products.lora_dropout": tune.uniform(0.0, 0.2),
        "products.loss": tune.choice(["answer", "candidates", "both"]),
        "products.candidates": tune.randint(6, 17),
        "products.hard_negatives": tune.randint(0, 4),
        "products.untitled_share": tune.uniform(0.0, 0.6),
        "products.balance": tune.uniform(0.0, 1.0),
    }


def points_to_evaluate() -> list[dict[str, Any]]:
    """Tried after the settings that the sweep starts from: the plan's own values."""
    return [
        {
            "products.learning_rate": 2e-4,
            "products.lora_alpha": 16.0,
            "products.lora_dropout": 0.05,
            "products.loss": "answer",
            "products.candidates": 10,
            "products.hard_negatives": 2,
            "products.untitled_share": 0.2,
            "products.balance": 0.5,
        }
    ]
