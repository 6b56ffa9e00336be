"""python jobs/build_starter.py --work DIR [--charts 10000] [--others 10000]

Builds the models that come with the package: draws, trains gate, elements and products by the recipes for those who
have no pre-trained weights, scores them and makes them small. Hours on two cores; goes on where it stopped.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from meteo_ray.cli import run_job
from meteo_ray.starter.config import BuildStarterJob

JOBS = Path(__file__).resolve().parent


def body(config: BuildStarterJob, jobs: Path) -> None:
    # torch takes seconds to import; --help and a wrong flag should not.
    from meteo_ray.starter.build import build

    build(config, jobs)


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(BuildStarterJob, partial(body, jobs=JOBS), __doc__ or "", argv)


if __name__ == "__main__":
    sys.exit(main())
