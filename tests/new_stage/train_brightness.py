"""python jobs/train_brightness.py --data DIR --models DIR"""

import sys
from collections.abc import Sequence
from functools import partial

from meteo_ray.brightness.stage import BRIGHTNESS
from meteo_ray.cascade.training import train_stage
from meteo_ray.cli import run_job


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(BRIGHTNESS.job, partial(train_stage, BRIGHTNESS), "Train the brightness stage.", argv)


if __name__ == "__main__":
    sys.exit(main())
