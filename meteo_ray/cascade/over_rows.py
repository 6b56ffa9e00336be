"""The stages one after the other over rows of an index: a chart that one turns away is lost, as in an archive."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray.batch import ANSWERED
from meteo_ray.calibration.votes import unstacked
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.judging.judge import Judge, Judged
from meteo_ray.judging.stage_evaluation import StageEvaluation
from meteo_ray.stage import Judging
from meteo_ray.text.config import TextSettings
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
        asked = with_answers(rows, answered(judging.reads, cascade), judged)
        found = judge(f"cascade: {name}", predictor, asked, size, judging.reads, evaluations[name].batch_size)
        judged[name] = found = with_text_heard(found, judging, predictor)
        rows = rows.filter(pc.is_in(rows["image_id"], found.rows["image_id"].combine_chunks()))
        if judging.passes is not None:
            rows = rows.filter(pa.array(found.columns.get(judging.passes, ()), pa.bool_()))
    return judged


def with_earlier_stages(
    judge: Judge, rows: pa.Table, judging: Judging, cascade: Mapping[str, Judging], predictors: Mapping[str, Any]
) -> pa.Table:
    """The rows with what earlier stages answer on them, as ANSWERED + column, of those whose predictors are there.

    Labels stay beside it. What is written is heard where the rows tell it.
    """
    wanted = {name: place for name, place in answered(judging.reads, cascade).items() if place[0] in predictors}
    for stage in dict.fromkeys(place for place, _ in wanted.values()):
        found = judge(f"what {stage} answers", predictors[stage], rows, extra=("title", "text"))
        found = with_text_heard(found, cascade[stage], predictors[stage])
        fields = {column: place for column, place in wanted.items() if place[0] == stage}
        answers = with_answers(rows.select(["image_id"]), fields, {stage: found})
        for column in fields:
            rows = rows.append_column(ANSWERED + column, answers[column])
    return rows


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


def answered(reads: Sequence[str], cascade: Mapping[str, Judging]) -> dict[str, tuple[str, pa.Field]]:
    """Of the columns that a stage reads those that stages of `cascade` answer: stage and field, by column."""
    return {
        field.name: (name, field)
        for name, judging in cascade.items()
        for field in (*judging.columns, *judging.tells)
        if field.name in reads
    }


def with_answers(rows: pa.Table, wanted: Mapping[str, tuple[str, pa.Field]], judged: Mapping[str, Judged]) -> pa.Table:
    """The rows with the columns `wanted` (see `answered`) as the stages answered them, null where they did not."""
    ids = rows["image_id"].to_pylist()
    for column, (stage, field) in wanted.items():
        part = judged[stage]
        given = part.columns.get(column, [None] * part.rows.num_rows)
        answers = dict(zip(part.rows["image_id"].to_pylist(), given, strict=True))
        if column in rows.column_names:
            rows = rows.drop_columns(column)
        rows = rows.append_column(field, pa.array([answers.get(image_id) for image_id in ids], field.type))
    return rows
