"""python jobs/evaluate_forecast.py --data DIR --models DIR --out metrics.json

Scores MODELS/forecast on its test days beside all baselines; a page with tables and plots lies beside the metrics.
"""

import sys
from collections.abc import Sequence

from meteo_ray.cli import run_job
from meteo_ray.forecast.config import EvaluateForecastJob


def body(job: EvaluateForecastJob) -> None:
    # torch, pandas and matplotlib take seconds to import; --help and a wrong flag should not.
    from meteo_ray.forecast.run import evaluate

    evaluate(job)


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(EvaluateForecastJob, body, "Score a forecast of station series on its test days.", argv)


if __name__ == "__main__":
    sys.exit(main())
