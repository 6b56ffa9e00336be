"""python jobs/run_demo.py --out demo_run

Draws a data set, trains the three stages on it, evaluates them and classifies an archive: what `make demo` does.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from meteo_ray.cli import run_job
from meteo_ray.demo.config import RunDemoJob
from meteo_ray.demo.walkthrough import run_demo

JOBS = Path(__file__).resolve().parent


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(RunDemoJob, partial(run_demo, jobs=JOBS), "Walk through the whole system on drawn data.", argv)


if __name__ == "__main__":
    sys.exit(main())
