"""The retrieval stage as the rest of the system knows it.

It is trained like the others, but stays out of the cascade: its codes are no columns of the predictions, they are made
from an archive that was classified (jobs/index_archive.py).
"""

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from meteo_ray.retrieval.config import TrainRetrievalJob
from meteo_ray.stage import Judging, Stage

if TYPE_CHECKING:
    from meteo_ray.judging.stage_evaluation import StageEvaluation
    from meteo_ray.retrieval.predictor import RetrievalPredictor
    from meteo_ray.retrieval.task import RetrievalTask
    from meteo_ray.training.inputs import TaskInputs


def _task(job: TrainRetrievalJob, inputs: "TaskInputs") -> "RetrievalTask":
    from meteo_ray.retrieval.task import RetrievalTask

    return RetrievalTask(job.retrieval, inputs.data, inputs.vocabulary, job.training.seed, inputs.images)


def _require(job: TrainRetrievalJob, inputs: "TaskInputs") -> None:
    """One worker, where codes are solved for: each would solve for others, with what it alone has seen."""
    from meteo_ray.errors import UsageError

    if job.training.workers > 1 and job.retrieval.loss == "pairwise":
        raise UsageError(
            f"--training.workers {job.training.workers}: --retrieval.loss pairwise solves for the codes of all charts "
            "in one process; give --training.workers 1 or --retrieval.loss pointwise"
        )


def _load(*arguments: Any, **options: Any) -> "RetrievalPredictor":
    from meteo_ray.retrieval.predictor import RetrievalPredictor

    return RetrievalPredictor.load(*arguments, **options)


def _evaluation() -> "StageEvaluation":
    raise TypeError("codes are measured while they are learnt (RetrievalTask.measured): no job evaluates them")


CODES = Judging(
    columns=pa.schema([("code", pa.binary())]),
    load=_load,
    options=lambda job: {},
    evaluation=_evaluation,
)
"""How the model encodes an archive's charts, under the guards of the cascade's models but after it."""

RETRIEVAL = Stage(
    name="retrieval",
    job=TrainRetrievalJob,
    make_task=_task,
    require=_require,
    training_headline=("map", "solved_map"),
    objectives=("map",),
)
