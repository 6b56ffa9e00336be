"""python jobs/search_archive.py --index CLASSIFIED/similar --models DIR --image FILE_OR_FOLDER --out DIR [--top 20]

Finds the charts of an indexed archive that are most like an image, or like each image of a folder: a page with pictures
and distances, and the same as JSON.
"""

import logging
import sys
from collections.abc import Sequence

from meteo_ray.cli import run_job
from meteo_ray.similar.config import SearchJob

logger = logging.getLogger("meteo_ray")


def run(config: SearchJob) -> None:
    # torch takes seconds to import; --help and a wrong flag should not.
    from meteo_ray.similar.search import search_archive

    asked = search_archive(config)
    logger.info("%d images asked; answers in %s", asked, config.out / "search.html")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; its exit status comes back."""
    return run_job(SearchJob, run, __doc__ or "", argv)


if __name__ == "__main__":
    sys.exit(main())
