"""python jobs/train_products.py --data DIR --models DIR

Trains the product stage: which product is a chart? The model bundle goes to MODELS/products/, the run with its logs to
MODELS/runs/. The same command goes on where an interrupted run stopped.
"""

import sys
from collections.abc import Sequence
from functools import partial

from meteo_ray.cascade.training import train_stage
from meteo_ray.cli import run_job
from meteo_ray.products.stage import PRODUCTS


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(
        PRODUCTS.job, partial(train_stage, PRODUCTS), "Train the product stage: which product is a chart?", argv
    )


if __name__ == "__main__":
    sys.exit(main())
