"""What all stages are worth end to end: a chart that the gate turns away is lost to the others."""

from collections.abc import Mapping, Sequence
from typing import Any

from meteo_ray.judging.judge import Judged
from meteo_ray.judging.stage_evaluation import StageEvaluation
from meteo_ray.vocabulary import Vocabulary


def cascade_metrics(
    judged: Mapping[str, Judged], evaluations: Mapping[str, StageEvaluation], vocabulary: Vocabulary
) -> dict[str, Any]:
    """What every stage says of the outcome (`StageEvaluation.end_to_end`).

    Returns:
        the stages' metrics, and besides seconds_per_image, by stage and `total` for each input, and unreadable.
    """
    metrics: dict[str, Any] = {}
    for evaluation in evaluations.values():
        metrics |= evaluation.end_to_end(judged, vocabulary)
    return {
        **metrics,
        "seconds_per_image": _seconds(list(judged.values()), list(judged)),
        "unreadable": sum(part.unreadable for part in judged.values()),
    }


def _seconds(parts: Sequence[Judged], names: Sequence[str]) -> dict[str, float | None]:
    """By stage, and what one image costs altogether: the first stage judges every input."""
    inputs = parts[0].rows.num_rows
    return {
        **{name: part.seconds_per_image for name, part in zip(names, parts, strict=True)},
        "total": sum(part.seconds for part in parts) / inputs if inputs else None,
    }
