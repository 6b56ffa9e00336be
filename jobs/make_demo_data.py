"""python jobs/make_demo_data.py --out DIR [--charts N --others N --seed S] [--archive DIR --archive-count N]

Draws a labelled data set of weather charts and look-alikes, so that everything else can be tried without real data.
"""

import sys
from collections.abc import Sequence

from meteo_ray.cli import run_job
from meteo_ray.demo.config import DemoJob


def body(config: DemoJob) -> None:
    """Draw the data set, and the archive where one is wanted."""
    # Ray and matplotlib take seconds to import; --help and a wrong flag should not.
    from meteo_ray.demo.data_set import build_archive, build_data, require_free

    require_free(config)
    if config.archive is not None:  # first: labels.jsonl, the last file, says that everything was drawn
        files = build_archive(config.archive, config)
        print(f"{files} files in {config.archive}")
    count = build_data(config)
    print(f"{count} images and their labels in {config.out}")


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(DemoJob, body, __doc__ or "", argv)


if __name__ == "__main__":
    sys.exit(main())
