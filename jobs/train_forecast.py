"""python jobs/train_forecast.py --data DIR --models DIR --forecast.source delhi --model lstm

Trains a forecast of station series. The model bundle goes to MODELS/forecast/, the run with its logs to MODELS/runs/.
The same command goes on where an interrupted run stopped.
"""

import sys
from collections.abc import Sequence
from functools import partial

from meteo_ray.cascade.training import train_stage
from meteo_ray.cli import run_job
from meteo_ray.forecast.stage import FORECAST


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(FORECAST.job, partial(train_stage, FORECAST), "Train a forecast of station series.", argv)


if __name__ == "__main__":
    sys.exit(main())
