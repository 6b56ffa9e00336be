"""python jobs/forecast.py --data DIR --models DIR --out DIR

Forecasts station series with MODELS/forecast: CSV, NetCDF and plots.
"""

import sys
from collections.abc import Sequence

from meteo_ray.cli import run_job
from meteo_ray.forecast.config import ForecastJob


def body(job: ForecastJob) -> None:
    # torch, pandas and matplotlib take seconds to import; --help and a wrong flag should not.
    from meteo_ray.forecast.run import forecast

    forecast(job)


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(ForecastJob, body, "Forecast station series.", argv)


if __name__ == "__main__":
    sys.exit(main())
