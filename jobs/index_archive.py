"""python jobs/index_archive.py --classified OUT_OF_CLASSIFY_ARCHIVE --models DIR [--to-label 50]

Gives every chart of a classified archive a code by which similar ones are found, and groups those that are nearly
equal. The same command goes on where it was interrupted, and adds what is new.
"""

import logging
import sys
from collections.abc import Sequence

from meteo_ray.cli import run_job
from meteo_ray.similar.config import IndexJob

logger = logging.getLogger("meteo_ray")


def run(config: IndexJob) -> None:
    # Ray and torch take seconds to import; --help and a wrong flag should not.
    from meteo_ray.similar.indexing import index_archive

    charts = index_archive(config)
    logger.info("%d charts can be searched: jobs/search_archive.py --index %s", charts, config.classified / "similar")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; its exit status comes back."""
    return run_job(IndexJob, run, __doc__ or "", argv)


if __name__ == "__main__":
    sys.exit(main())
