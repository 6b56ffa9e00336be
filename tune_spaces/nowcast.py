"""What a sweep of radar nowcasts varies: the loss's mixture, the rate, how much a training step sees."""

from typing import Any

from ray import tune


def space() -> dict[str, Any]:
    """Setting of jobs/train_nowcast.py -> where to look."""
    return {
        "nowcast.rain_share": tune.uniform(0.5, 1.0),
        "nowcast.rate": tune.loguniform(1e-4, 5e-3),
        "nowcast.crop": tune.choice([48, 64, 96]),
        "nowcast.peepholes": tune.choice([True, False]),
        "training.weight_decay": tune.loguniform(1e-6, 1e-1),
    }


def points_to_evaluate() -> list[dict[str, Any]]:
    """Tried after the settings that the sweep starts from: some of the error in decibels."""
    return [
        {
            "nowcast.rain_share": 0.8,
            "nowcast.rate": 1e-3,
            "nowcast.crop": 64,
            "nowcast.peepholes": True,
            "training.weight_decay": 1e-4,
        }
    ]
