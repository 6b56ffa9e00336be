"""What earlier stages answer on the rows that a stage learns from: it will meet their answers, not the labels.

Answers on rows that an earlier stage learnt from itself are surer than on others; who learns from them must know that.
"""

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch

from meteo_ray import bundle
from meteo_ray.batch import ANSWERED
from meteo_ray.cascade.over_rows import answered, with_answers, with_text_heard
from meteo_ray.cluster import connect
from meteo_ray.errors import UsageError
from meteo_ray.files import write_parquet
from meteo_ray.imaging.augment_config import UNALTERED
from meteo_ray.imaging.load import PREPROCESSING_VERSION
from meteo_ray.judging.judge import judge
from meteo_ray.stage import Judging, Stage
from meteo_ray.streaming.index import content_digest
from meteo_ray.streaming.pixels import PreparePixels
from meteo_ray.text.table import with_texts
from meteo_ray.training.inputs import TaskInputs

logger = logging.getLogger("meteo_ray")

# Images of one call of an earlier stage's predictor.
BATCH = 64


def with_earlier_answers(
    stage: Stage, inputs: TaskInputs, cascade: Mapping[str, Judging], use_gpu: bool | None = None
) -> TaskInputs:
    """The inputs, and where the stage learns from answers, an index with those on the rows that it learns from.

    Every column of an earlier stage that it reads comes as ANSWERED + its name, null on other rows. Answers are kept in
    the cache folder by model, rows and texts: a run that goes on does not ask again, unless images could not be read.
    `use_gpu` is the training's setting.

    Raises:
        UsageError: when a model is missing, damaged or made for other labels.
    """
    if stage.learns_from_answers_on is None or stage.judging is None:
        return inputs
    known = inputs.index.filter(pc.is_valid(inputs.index[stage.learns_from_answers_on]))
    known = with_texts(known, inputs.data, inputs.index_folder)
    index, versions = inputs.index, dict[str, str]()
    wanted = answered(stage.judging.reads, {name: cascade[name] for name in stage.judging.needs})
    for name in dict.fromkeys(place for place, _ in wanted.values()):
        fields = {column: place for column, place in wanted.items() if place[0] == name}
        versions[name] = _version(name, inputs)
        index = _joined(index, _answers(name, versions[name], cascade[name], fields, known, inputs, use_gpu))
    return replace(inputs, index=index, answered_by=versions)


def _version(name: str, inputs: TaskInputs) -> str:
    """Of a stage's model. Raises UsageError when there is none, or a damaged one."""
    folder = inputs.models / name
    if not (folder / bundle.SUMS).is_file():
        raise UsageError(
            f"no {name} model in {inputs.models}, from whose answers this stage learns; train it first with "
            f"jobs/train_{name}.py"
        )
    return bundle.check(folder, name)


def _answers(
    name: str,
    version: str,
    judging: Judging,
    fields: Mapping[str, tuple[str, pa.Field]],
    rows: pa.Table,
    inputs: TaskInputs,
    use_gpu: bool | None,
) -> pa.Table:
    """image_id, and one stage's answers under their prefixed names."""
    made_of = f"{version} {PREPROCESSING_VERSION} {sorted(fields)} {content_digest(rows)}"
    digest = hashlib.sha256(made_of.encode()).hexdigest()[:16]
    kept = inputs.cache / "answers" / f"{name}-{digest}.parquet"
    known = _kept(kept)
    if known is not None:
        return known
    place = {"device": "cpu"} if use_gpu is False else {}
    predictor = judging.load(inputs.models / name, vocabulary=inputs.vocabulary, **place)
    connect()
    pixels = PreparePixels(inputs.data, 0, None, UNALTERED, inputs.images, vocabulary=inputs.vocabulary)
    judged = judge(f"what {name} answers", predictor, rows, pixels, ("title", "text"), BATCH, None)
    judged = with_text_heard(judged, judging, predictor)
    del predictor  # the stage that is trained now wants the device's memory
    torch.cuda.empty_cache()
    table = with_answers(judged.rows.select(["image_id"]), fields, {name: judged})
    table = table.rename_columns(["image_id", *(ANSWERED + column for column in table.column_names[1:])])
    if judged.unreadable:
        logger.warning(
            "%d of %d images could not be read when %s was asked about them; they go without its answers now, and are "
            "asked about again next time",
            judged.unreadable,
            rows.num_rows,
            name,
        )
    else:
        _keep(kept, table)
    return table


def _kept(path: Path) -> pa.Table | None:
    """What an earlier call kept; None when there is nothing, or nothing whole."""
    try:
        return pq.read_table(path)
    except (OSError, pa.ArrowInvalid):
        return None


def _keep(path: Path, table: pa.Table) -> None:
    """Two jobs may write the same at once: each writes a file of its own first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    own = path.with_name(f"{path.stem}-{os.getpid()}.parquet")
    write_parquet(own, table)
    os.replace(own, path)


def _joined(index: pa.Table, answers: pa.Table) -> pa.Table:
    """The index with the columns of `answers` beside, in its order; null where there is no answer."""
    place = pc.index_in(index["image_id"], answers["image_id"].combine_chunks())
    for field in answers.schema:
        if field.name != "image_id":
            index = index.append_column(field, answers[field.name].combine_chunks().take(place.combine_chunks()))
    return index
