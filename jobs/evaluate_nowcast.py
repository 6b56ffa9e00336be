"""python jobs/evaluate_nowcast.py --data DIR --models DIR --out metrics.json

Scores MODELS/nowcast on the events that it was not trained on, beside all baselines.
"""

import sys
from collections.abc import Sequence

from meteo_ray.cli import run_job
from meteo_ray.nowcast.config import EvaluateNowcastJob


def body(job: EvaluateNowcastJob) -> None:
    # torch, pysteps and matplotlib take seconds to import; --help and a wrong flag should not.
    from meteo_ray.nowcast.run import evaluate

    evaluate(job)


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(EvaluateNowcastJob, body, "Score a radar nowcast on its test events.", argv)


if __name__ == "__main__":
    sys.exit(main())
