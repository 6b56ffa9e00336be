"""python jobs/nowcast.py --data DIR --models DIR --out DIR

Nowcasts radar rain with MODELS/nowcast: NetCDF, CSV, maps and an animation.
"""

import sys
from collections.abc import Sequence

from meteo_ray.cli import run_job
from meteo_ray.nowcast.config import NowcastJob


def body(job: NowcastJob) -> None:
    # torch, pysteps and matplotlib take seconds to import; --help and a wrong flag should not.
    from meteo_ray.nowcast.run import nowcast

    nowcast(job)


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(NowcastJob, body, "Nowcast radar rain.", argv)


if __name__ == "__main__":
    sys.exit(main())
