"""The gate as the rest of the system knows it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from meteo_ray.gate.config import TrainGateJob
from meteo_ray.judging.settings import JudgingJob
from meteo_ray.stage import Demo, Judging, Stage
from meteo_ray.vocabulary import Vocabulary

if TYPE_CHECKING:
    from meteo_ray.gate.evaluation import GateEvaluation
    from meteo_ray.gate.predictor import GatePredictor
    from meteo_ray.gate.task import GateTask
    from meteo_ray.gate.verdict import GateVerdict
    from meteo_ray.training.inputs import TaskInputs


def _task(job: TrainGateJob, inputs: "TaskInputs") -> "GateTask":
    from meteo_ray.gate.task import GateTask

    return GateTask(
        job.gate, inputs.data, inputs.vocabulary, job.training.seed, inputs.images, index=inputs.index_folder
    )


def _load(*arguments: Any, **options: Any) -> "GatePredictor":
    from meteo_ray.gate.predictor import GatePredictor

    return GatePredictor.load(*arguments, **options)


def _load_verdict(
    bundle: Path,
    vocabulary: Vocabulary | None = None,
    *,
    threshold: float | None = None,
    min_recall: float | None = None,
) -> "GateVerdict":
    """`vocabulary` is what every stage is given; the gate's own knows the names that its text voter looks for."""
    from meteo_ray.gate.bundle import read_verdict

    return read_verdict(bundle).asked_for(threshold, min_recall, None)


def _options(job: JudgingJob) -> dict[str, Any]:
    return {"threshold": job.cascade.gate_threshold, "min_recall": job.min_recall}


def _evaluation() -> "GateEvaluation":
    from meteo_ray.gate.evaluation import GateEvaluation

    return GateEvaluation()


GATE = Stage(
    name="gate",
    job=TrainGateJob,
    make_task=_task,
    training_headline=("auc", "f1", "precision", "recall", "network_auc", "trees_auc", "words_auc", "names_auc"),
    trial_settings={"gate.descriptors": False, "gate.text": False},
    acts_from=lambda job: dict.fromkeys(("gate.hard_weight", "gate.hard_share"), job.gate.hard_from_epoch),
    objectives=("auc", "f1", "precision", "recall"),
    judging=Judging(
        columns=pa.schema([("is_meteo", pa.bool_()), ("gate_score", pa.float32())]),
        load=_load,
        options=_options,
        evaluation=_evaluation,
        passes="is_meteo",
        passes_by="gate_score",
        votes="gate_votes",
        load_verdict=_load_verdict,
        histograms={"gate_score": "gate score"},
    ),
    demo=Demo(table=(("AUC", "auc"), ("F1", "f1"))),
)
