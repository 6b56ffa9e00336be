"""python jobs/classify_archive.py --archive DIR_OR_URI --models DIR --out DIR [--resume] [--max-bad FRACTION]

Judges every file of an archive: is it a weather chart, which elements does it show, which product is it?
"""

import logging
import sys
from collections.abc import Sequence

from meteo_ray.archive.config import ArchiveConfig
from meteo_ray.cli import run_job

logger = logging.getLogger("meteo_ray")


def run(config: ArchiveConfig) -> None:
    # Ray and torch take seconds to import; --help and a wrong flag should not.
    from meteo_ray.archive.run import classify

    summary = classify(config)
    status = summary["status"]
    logger.info(
        "%d files: %d charts, %d turned away, %d rejected, %d unreadable; report in %s",
        *(summary["rows"], summary["charts"], summary["turned_away"], status["rejected"], status["error"]),
        config.out / "report.html",
    )
    if summary.get("tokens_per_second") is not None:
        logger.info("the language model took %.0f tokens a second", summary["tokens_per_second"])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job; its exit status comes back."""
    return run_job(ArchiveConfig, run, __doc__ or "", argv)


if __name__ == "__main__":
    sys.exit(main())
