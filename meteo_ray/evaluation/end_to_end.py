"""All stages end to end, as an archive sees them: a chart that the gate turns away is lost to the others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray.calibration.votes import unstacked
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.judging.judge import Judge, Judged
from meteo_ray.judging.stage_evaluation import StageEvaluation
from meteo_ray.stage import Judging
from meteo_ray.text.config import TextSettings
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.comparison import pages_written

# Which images an archive's texts are read of, unless told otherwise.
READING = TextSettings(mode="page")


def run_cascade(
    judge: Judge,
    rows: pa.Table,
    cascade: Mapping[str, Judging],
    predictors: Mapping[str, Any],
    evaluations: Mapping[str, StageEvaluation],
) -> dict[str, Judged]:
    """Judge `rows` (whose is_meteo is known) stage by stage, each what the ones before let through.

    A column that a stage reads holds what an earlier stage answered, not the label. What is written is heard where the
    rows tell it (`title`, `text`) and the archive job would read it.
    """
    judged: dict[str, Judged] = {}
    for name, judging in cascade.items():
        predictor = predictors[name]
        size = predictor.image_size if judging.own_pixels else INPUT_SIZE
        asked = _with_answers(rows, judging.reads, cascade, judged)
        found = judge(f"cascade: {name}", predictor, asked, size, judging.reads, evaluations[name].batch_size)
        judged[name] = found = with_text_heard(found, judging, predictor)
        rows = rows.filter(pc.is_in(rows["image_id"], found.rows["image_id"].combine_chunks()))
        if judging.passes is not None:
            rows = rows.filter(pa.array(found.columns.get(judging.passes, ()), pa.bool_()))
    return judged


def with_text_heard(found: Judged, judging: Judging, predictor: Any) -> Judged:
    """The answers once text is heard; of a stage that lets through, as in an archive: on what passes or may."""
    if judging.votes not in found.columns:
        return found
    pages = pages_written(found.rows)
    if judging.passes is not None and judging.passes_by is not None:
        answers = zip(found.columns[judging.passes], found.columns[judging.passes_by], strict=True)
        asked = [bool(passes) or READING.is_undecided(score) for passes, score in answers]
        pages = [page if read else None for page, read in zip(pages, asked, strict=True)]
    votes = unstacked(found.columns[judging.votes], predictor.verdict.voters)
    return replace(found, columns={**found.columns, **predictor.verdict(votes, pages)})


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


def _with_answers(
    rows: pa.Table, reads: Sequence[str], cascade: Mapping[str, Judging], judged: Mapping[str, Judged]
) -> pa.Table:
    """The rows with the columns named in `reads` as the stages before answered them."""
    ids = rows["image_id"].to_pylist()
    for column in reads:
        stage = next(name for name, judging in cascade.items() if column in judging.columns.names)
        part, field = judged[stage], cascade[stage].columns.field(column)
        answers = dict(zip(part.rows["image_id"].to_pylist(), part.columns.get(column, ()), strict=True))
        if column in rows.column_names:
            rows = rows.drop_columns(column)
        rows = rows.append_column(field, pa.array([answers[image_id] for image_id in ids], field.type))
    return rows


def _seconds(parts: Sequence[Judged], names: Sequence[str]) -> dict[str, float | None]:
    """By stage, and what one image costs altogether: the first stage judges every input."""
    inputs = parts[0].rows.num_rows
    return {
        **{name: part.seconds_per_image for name, part in zip(names, parts, strict=True)},
        "total": sum(part.seconds for part in parts) / inputs if inputs else None,
    }
