"""python jobs/train_elements.py --data DIR --models DIR

Trains the element stage: what does a chart show? The model bundle goes to MODELS/elements/, the run with its logs to
MODELS/runs/. The same command goes on where an interrupted run stopped.
"""

import sys
from collections.abc import Sequence
from functools import partial

from meteo_ray.cascade.training import train_stage
from meteo_ray.cli import run_job
from meteo_ray.elements.stage import ELEMENTS


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(
        ELEMENTS.job, partial(train_stage, ELEMENTS), "Train the element stage: what does a chart show?", argv
    )


if __name__ == "__main__":
    sys.exit(main())
