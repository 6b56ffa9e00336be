"""python jobs/train_nowcast.py --data DIR --models DIR

Trains a nowcast of radar rain. The model bundle goes to MODELS/nowcast/, the run with its logs to MODELS/runs/.
The same command goes on where an interrupted run stopped.
"""

import sys
from collections.abc import Sequence
from functools import partial

from meteo_ray.cascade.training import train_stage
from meteo_ray.cli import run_job
from meteo_ray.nowcast.stage import NOWCAST


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(NOWCAST.job, partial(train_stage, NOWCAST), "Train a nowcast of radar rain.", argv)


if __name__ == "__main__":
    sys.exit(main())
