"""What every job shares: config in, one library call, exit status out (0 clean, 2 usage, 3 bad rows, 1 otherwise)."""

import logging
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from meteo_ray.config import JobConfig, parse_config
from meteo_ray.errors import MeteoRayError

Job = TypeVar("Job", bound=JobConfig)

INTERRUPTED = 130  # what a shell reports for a program ended by Ctrl-C


def run_job(job: type[Job], body: Callable[[Job], None], description: str, argv: Sequence[str] | None = None) -> int:
    """Parse the job's config and run `body`; a user's mistake ends as one message on stderr and its exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    try:
        body(parse_config(job, argv, description))
    except MeteoRayError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept", file=sys.stderr)
        return INTERRUPTED
    return 0
