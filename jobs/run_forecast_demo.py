"""python jobs/run_forecast_demo.py --out demo_forecast

Makes up data, trains, evaluates and runs a forecast of stations and a nowcast of rain: what `make demo-forecast` does.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from meteo_ray.cli import run_job
from meteo_ray.demo.config import RunForecastDemoJob

JOBS = Path(__file__).resolve().parent


def body(job: RunForecastDemoJob) -> None:
    # Imported when it runs: --help and a wrong flag should be answered at once.
    from meteo_ray.demo.forecast_walkthrough import run_forecast_demo

    run_forecast_demo(job, JOBS)


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(RunForecastDemoJob, body, "Walk through forecasts and nowcasts on invented data.", argv)


if __name__ == "__main__":
    sys.exit(main())
