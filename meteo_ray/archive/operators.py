"""The operators of the pipeline: listed files -> pixels -> columns of the predictions. Rows are marked, never dropped.

Between them and the writer a row has the columns of the predictions, what a second look at the file needs, and the
seconds that it took.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from meteo_ray.archive.judged_rows import JUDGED, MISTAKE, READ_SECONDS, SECONDS
from meteo_ray.archive.loaded_model import LoadedModel
from meteo_ray.archive.manifest import Chunk
from meteo_ray.archive.models import Model
from meteo_ray.archive.reading import Limits, Read, Reader
from meteo_ray.archive.source import Listed, Source
from meteo_ray.batch import Batch
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.schema import ERROR, OK, SCHEMA_VERSION
from meteo_ray.stages import CASCADE

_JUDGEMENT = tuple(name for judging in CASCADE.values() for name in judging.columns.names)

Item = TypeVar("Item")
Result = TypeVar("Result")


class ReadImages:
    """Ray Data operator: a chunk of the manifest in; its rows with sha256, width, height, image `(rows, 240, 320, 3)`
    and read_s out.

    Rows that the listing has already judged, and rows that cannot be read, carry a black image that nobody looks at.
    Text is "" and numbers are 0 where there is nothing, because Arrow cannot type a column of None.
    """

    def __init__(self, source: Source, limits: Limits) -> None:
        self._reader = Reader(source, limits, INPUT_SIZE)

    def __call__(self, chunks: Batch) -> Iterator[Batch]:
        for shard, group in zip(chunks["shard"], chunks["group"], strict=True):
            yield self._read_rows(Chunk(Path(shard), int(group)).read().to_pylist())

    def _read_rows(self, listed: list[dict[str, Any]]) -> Batch:
        started = perf_counter()
        rows = len(listed)
        width, height = INPUT_SIZE
        images = np.zeros((rows, height, width, 3), dtype=np.uint8)
        read = [self._read(row) for row in listed]
        for row, result in enumerate(read):
            if result.image is not None:
                images[row] = result.image.pixels
        return {
            **{name: np.array([row[name] for row in listed]) for name in ("size", "modified_ns")},
            **{name: np.array([row[name] for row in listed], dtype=object) for name in ("image_id", "path")},
            "sha256": np.array([result.sha256 for result in read], dtype=object),
            "width": np.array([result.image.width if result.image else 0 for result in read], dtype=np.int32),
            "height": np.array([result.image.height if result.image else 0 for result in read], dtype=np.int32),
            "status": np.array([result.status for result in read], dtype=object),
            "reason": np.array([result.reason for result in read], dtype=object),
            "image": images,
            READ_SECONDS: np.full(rows, (perf_counter() - started) / rows),
        }

    def _read(self, row: dict[str, Any]) -> Read:
        if row["status"]:
            return Read(row["status"], row["reason"])
        return self._reader.read(row["path"], Listed(row["size"], row["modified_ns"]))


class JudgeImages:
    """Ray Data operator holding the models that share one decoded image, on one device: every readable row is judged
    by the first, and what a model lets through by the next. The pixels end here."""

    def __init__(self, models: Sequence[Model], model_version: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self._models = [LoadedModel(model) for model in models]
        self._model_version = model_version

    def __call__(self, batch: Batch) -> pa.Table:
        judged: list[dict[str, Any]] = [{} for _ in range(len(batch["path"]))]
        mistake = next((model.mistake for model in self._models if model.mistake), None)
        rows = np.flatnonzero(batch["status"] == OK)
        for model in self._models if mistake is None else ():
            self._judge(model, batch, rows, judged)
            if model.judging.passes is not None:
                rows = np.array([row for row in rows if judged[row][model.judging.passes]], dtype=np.int64)
        return self._table(batch, judged, mistake)

    @staticmethod
    def _judge(model: LoadedModel, batch: Batch, rows: np.ndarray, judged: list[dict[str, Any]]) -> None:
        if not len(rows):
            return
        asked = {"image": batch["image"][rows], **_columns(model.judging.reads, [judged[row] for row in rows])}
        for row, columns in zip(rows, model(batch["sha256"][rows], asked), strict=True):
            judged[row].update(columns)

    def _table(self, batch: Batch, judged: list[dict[str, Any]], mistake: str | None) -> pa.Table:
        rows = len(judged)
        seconds = {
            **dict.fromkeys(SECONDS, 0.0),
            **{model.seconds_column: model.take_seconds() for model in self._models},
        }
        columns: dict[str, Any] = {name: [row.get(name) for row in judged] for name in _JUDGEMENT}
        columns |= {name: [total / rows] * rows for name, total in seconds.items()}
        columns |= {name: _or_null(batch[name]) for name in ("sha256", "width", "height", "reason")}
        columns |= {name: batch[name] for name in ("image_id", "path", "status", "size", "modified_ns", READ_SECONDS)}
        columns[MISTAKE.name] = [mistake] * rows
        columns["model_version"] = [self._model_version] * rows
        columns["schema_version"] = [SCHEMA_VERSION] * rows
        return pa.table({field.name: pa.array(columns[field.name], field.type) for field in JUDGED}, schema=JUDGED)


class LookAgain:
    """Ray Data operator of a model with pixels of its own: decodes what came through once more, at the size of that
    model, and judges it in full mini-batches; other rows pass untouched. `passes` are the columns of earlier models
    that decide what came through."""

    def __init__(
        self, model: Model, passes: Sequence[str], source: Source, limits: Limits, images: int, threads: int
    ) -> None:
        torch.set_num_threads(threads)
        self._model, self._passes = LoadedModel(model), tuple(passes)
        self._source, self._limits, self._images = source, limits, images
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="decode")

    def __call__(self, table: pa.Table) -> pa.Table:
        if self._model.mistake:
            mistake = pa.array([self._model.mistake] * table.num_rows, pa.string())
            return table.set_column(table.schema.get_field_index(MISTAKE.name), MISTAKE, mistake)
        started = perf_counter()
        charts = self._came_through(table)
        failed: dict[str, dict[str, Any]] = {}
        while unseen := self._unseen([row for row in charts if row["image_id"] not in failed]):
            self._judge(unseen, failed)
        known = self._model.judgements
        answers = {row["image_id"]: failed.get(row["image_id"]) or known.get(row["sha256"]) or {} for row in charts}
        named = _replace_rows(table, answers)
        predicting = self._model.take_seconds()
        reading = perf_counter() - started - predicting
        return _add_seconds(named, {self._model.seconds_column: predicting, READ_SECONDS: reading})

    def _came_through(self, table: pa.Table) -> list[dict[str, Any]]:
        for column in self._passes:
            table = table.filter(pc.fill_null(table[column], False))
        return table.filter(pc.equal(table["status"], OK)).to_pylist()

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._source, self._limits, self._model.predictor.image_size)

    def _unseen(self, charts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """One row of each image that has no judgement yet."""
        digests = np.array([row["sha256"] for row in charts], dtype=object)
        return [charts[position] for position in self._model.judgements.missing(digests)]

    def _judge(self, rows: list[dict[str, Any]], failed: dict[str, dict[str, Any]]) -> None:
        """Judge distinct images; `failed` receives, by image_id, what to write for those that cannot be read again."""
        readable = self._read_again(rows, failed)
        while batch := list(islice(readable, self._images)):
            sha256 = np.array([row["sha256"] for row, _ in batch], dtype=object)
            read = _columns(self._model.judging.reads, [row for row, _ in batch])
            self._model.judge(sha256, {"image": np.stack([image for _, image in batch]), **read})

    def _read_again(
        self, rows: list[dict[str, Any]], failed: dict[str, dict[str, Any]]
    ) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
        def read(row: dict[str, Any]) -> Read:
            return self._reader.read(row["path"], Listed(row["size"], row["modified_ns"]))

        for row, result in zip(rows, in_order_ahead(self._ahead, read, rows, 2 * self._images), strict=True):
            if result.image is not None and result.sha256 == row["sha256"]:
                yield row, result.image.pixels
                continue
            status, reason = (result.status, result.reason) if result.image is None else (ERROR, "changed")
            failed[row["image_id"]] = {**dict.fromkeys(_JUDGEMENT), "status": status, "reason": reason}


def in_order_ahead(
    pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item], depth: int
) -> Iterator[Result]:
    """Results in the order of `items`, computed up to `depth` items before they are asked for."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _columns(names: Sequence[str], rows: Sequence[dict[str, Any]]) -> Batch:
    """Some columns of rows as a predictor reads them; lists stay lists."""
    columns = {name: np.empty(len(rows), dtype=object) for name in names}
    for name, column in columns.items():
        column[:] = [row[name] for row in rows]
    return columns


def _or_null(values: np.ndarray) -> list[Any]:
    return [value or None for value in values.tolist()]


def _replace_rows(table: pa.Table, answers: dict[str, dict[str, Any]]) -> pa.Table:
    if not answers:
        return table
    rows = [{**row, **answers.get(row["image_id"], {})} for row in table.to_pylist()]
    return pa.Table.from_pylist(rows, schema=JUDGED)


def _add_seconds(table: pa.Table, seconds: dict[str, float]) -> pa.Table:
    for name, total in seconds.items():
        position = table.schema.get_field_index(name)
        values = pc.add(table[name], total / max(table.num_rows, 1))
        table = table.set_column(position, JUDGED.field(name), values)
    return table
