"""python jobs/make_forecast_data.py --out DIR

Makes up station series and radar events, on which forecasts and nowcasts can be tried.
"""

import sys
from collections.abc import Sequence

from meteo_ray.cli import run_job
from meteo_ray.demo.config import ForecastDataJob


def body(job: ForecastDataJob) -> None:
    # Ray takes seconds to import; --help and a wrong flag should not.
    from meteo_ray.demo.forecast_walkthrough import make_data

    make_data(job)


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(ForecastDataJob, body, "Make up station series and radar events.", argv)


if __name__ == "__main__":
    sys.exit(main())
