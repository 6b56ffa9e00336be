"""python jobs/train_gate.py --data DIR --models DIR

Trains the gate: is an image a weather chart? The model bundle goes to MODELS/gate/, the run with its logs to
MODELS/runs/. The same command goes on where an interrupted run stopped.
"""

import sys
from collections.abc import Sequence
from functools import partial

from meteo_ray.cascade.training import train_stage
from meteo_ray.cli import run_job
from meteo_ray.gate.stage import GATE


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(GATE.job, partial(train_stage, GATE), "Train the gate: is an image a weather chart?", argv)


if __name__ == "__main__":
    sys.exit(main())
