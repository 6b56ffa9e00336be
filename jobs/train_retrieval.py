"""python jobs/train_retrieval.py --data DIR --models DIR [--retrieval.init MODELS/elements]

Trains the retrieval stage: which charts are alike? The model bundle goes to MODELS/retrieval/, the run with its logs to
MODELS/runs/. The same command goes on where an interrupted run stopped.
"""

import sys
from collections.abc import Sequence
from functools import partial

from meteo_ray.cascade.training import train_stage
from meteo_ray.cli import run_job
from meteo_ray.retrieval.stage import RETRIEVAL


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(
        RETRIEVAL.job, partial(train_stage, RETRIEVAL), "Train the retrieval stage: which charts are alike?", argv
    )


if __name__ == "__main__":
    sys.exit(main())
