"""python jobs/tune.py --space elements --data DIR --models DIR --trials 20

Searches the settings named in tune_spaces/ with Ray Tune and Optuna. The best ones are left as a config file for the
training job; an interrupted sweep goes on with --resume.
"""

import sys
from collections.abc import Sequence

from meteo_ray.cli import run_job
from meteo_ray.tuning.config import TuneJob


def search(job: TuneJob) -> None:
    # Ray, torch and Optuna take seconds to import; --help and a wrong flag should not.
    from meteo_ray.tuning.sweep import sweep

    sweep(job)


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(TuneJob, search, "Search training settings or thresholds.", argv)


if __name__ == "__main__":
    sys.exit(main())
