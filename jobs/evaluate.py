"""python jobs/evaluate.py --data DIR --models DIR --out FILE.json [--split test] [--stage all] [--report FILE.html]

Scores trained models on a labelled split: each stage on its own, and all of them end to end. `--robustness` adds the
gate on degraded images, `--baseline` gradient boosting on hand-made descriptors beside it.
"""

import logging
import sys
from collections.abc import Sequence

from meteo_ray.cli import run_job
from meteo_ray.evaluation.config import EvaluateJob

logger = logging.getLogger("meteo_ray")


def evaluate(job: EvaluateJob) -> None:
    """Check, judge, score; write the metrics and the page."""
    # Ray, torch and transformers take seconds to import; --help and a wrong flag should not.
    from meteo_ray import cluster
    from meteo_ray.evaluation.report import summary, write_report
    from meteo_ray.evaluation.run import Evaluation, write_document

    evaluation = Evaluation(job)
    cluster.connect()
    outcome = evaluation.run()
    write_document(job.out, outcome.document)
    if job.report:
        write_report(job.report, outcome, evaluation.context.judge.pixels())
    print(summary(outcome.document))
    logger.info("metrics: %s%s", job.out, f"  report: {job.report}" if job.report else "")


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(EvaluateJob, evaluate, "Score trained models on a labelled split.", argv)


if __name__ == "__main__":
    sys.exit(main())
