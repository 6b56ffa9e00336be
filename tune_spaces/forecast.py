"""What a sweep of station forecasts varies: size, days read, what keeps it from learning noise."""

from typing import Any

from ray import tune


def space() -> dict[str, Any]:
    """Setting of jobs/train_forecast.py -> where to look."""
    return {
        "forecast.hidden": tune.choice([8, 16, 32, 64]),
        "forecast.lookback": tune.choice([7, 14, 30]),
        "forecast.dropout": tune.uniform(0.0, 0.5),
        "forecast.rate": tune.loguniform(1e-4, 1e-2),
        "forecast.quantile_share": tune.uniform(0.0, 1.0),
        "training.weight_decay": tune.loguniform(1e-4, 1.0),
    }


def points_to_evaluate() -> list[dict[str, Any]]:
    """Tried after the settings that the sweep starts from: a small, strongly held network."""
    return [
        {
            "forecast.hidden": 8,
            "forecast.lookback": 7,
            "forecast.dropout": 0.3,
            "forecast.rate": 5e-4,
            "forecast.quantile_share": 0.5,
            "training.weight_decay": 0.1,
        }
    ]
