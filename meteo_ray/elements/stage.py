"""The element stage as the rest of the system knows it."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from meteo_ray.elements.config import TrainElementsJob
from meteo_ray.judging.settings import JudgingJob
from meteo_ray.schema import SCORED_ID
from meteo_ray.stage import Demo, Judging, Stage
from meteo_ray.vocabulary import Vocabulary

if TYPE_CHECKING:
    from meteo_ray.elements.evaluation import ElementsEvaluation
    from meteo_ray.elements.predictor import ElementsPredictor
    from meteo_ray.elements.task import ElementsTask
    from meteo_ray.elements.verdict import ElementsVerdict
    from meteo_ray.training.inputs import TaskInputs


def _task(job: TrainElementsJob, inputs: "TaskInputs") -> "ElementsTask":
    from meteo_ray.elements.task import ElementsTask

    training = job.training
    return ElementsTask(
        job.elements,
        inputs.data,
        inputs.vocabulary,
        training.seed,
        inputs.images,
        training.batch_size,
        inputs.index_folder,
    )


def _load(*arguments: Any, **options: Any) -> "ElementsPredictor":
    from meteo_ray.elements.predictor import ElementsPredictor

    return ElementsPredictor.load(*arguments, **options)


def _check(bundle: Path, *, quantize: str = "none", **others: Any) -> None:
    if quantize == "int8":
        from meteo_ray.elements.int8_encoder import require_int8, require_ranges
        from meteo_ray.training.device import pick_device

        require_int8(pick_device())
        require_ranges(bundle)


def _load_verdict(
    bundle: Path,
    vocabulary: Vocabulary | None = None,
    *,
    threshold_scale: float = 1.0,
    beam_width: int | None = None,
    quantize: str = "none",
) -> "ElementsVerdict":
    """`beam_width` and `quantize` are the network's: no text changes what it has found."""
    from meteo_ray.elements.bundle import read_verdict

    return replace(read_verdict(bundle, vocabulary), threshold_scale=threshold_scale)


def _options(job: JudgingJob) -> dict[str, Any]:
    return {
        "threshold_scale": job.cascade.element_threshold_scale,
        "beam_width": job.cascade.beam_width,
        "quantize": "int8" if job.cascade.elements_8bit else None,
    }


def _evaluation() -> "ElementsEvaluation":
    from meteo_ray.elements.evaluation import ElementsEvaluation

    return ElementsEvaluation()


ELEMENTS = Stage(
    name="elements",
    job=TrainElementsJob,
    make_task=_task,
    training_headline=("map", "micro_f1", "macro_f1", "image_map", "trees_map", "words_map", "names_map"),
    trial_settings={"elements.descriptors": False, "elements.text": False},
    objectives=("map", "micro_f1", "macro_f1"),
    judging=Judging(
        columns=pa.schema([("elements", pa.list_(SCORED_ID)), ("element_sequence", pa.list_(pa.string()))]),
        tells=tuple(pa.field(name, pa.list_(pa.float32())) for name in ("element_scores", "descriptors")),
        load=_load,
        options=_options,
        check=_check,
        evaluation=_evaluation,
        needs=("gate",),
        votes="element_votes",
        load_verdict=_load_verdict,
        sections=("elements",),
        tallies={"elements": "elements"},
    ),
    demo=Demo(table=(("mAP", "map"), ("micro-F1", "micro_f1"))),
)
