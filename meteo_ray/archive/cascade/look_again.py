"""Ray Data operator of a model with pixels of its own: decodes what came through once more, at that model's size."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from meteo_ray.archive.cascade.judge_images import JUDGEMENT, Row, columns_of
from meteo_ray.archive.cascade.judged_rows import FAULT, JUDGED, MISTAKE, READ_SECONDS, stopped
from meteo_ray.archive.cascade.loaded_model import LoadedModel, condemned
from meteo_ray.archive.cascade.models import Model
from meteo_ray.archive.cascade.suspects import Suspects, judge_carefully
from meteo_ray.archive.inputs.source import LocalSource, RemoteSource
from meteo_ray.archive.reading.limits import Limits
from meteo_ray.archive.reading.reader import Read, Reader
from meteo_ray.errors import MachineFault, UsageError
from meteo_ray.schema import ERROR, OK

Item = TypeVar("Item")
Result = TypeVar("Result")
Seen = tuple[Row, np.ndarray]


class LookAgain:
    """Judges what came through, in full mini-batches of `images`; other rows pass untouched. `passes` are the columns
    of earlier models that decide what came through."""

    def __init__(
        self,
        model: Model,
        passes: Sequence[str],
        source: LocalSource | RemoteSource,
        limits: Limits,
        images: int,
        threads: int,
        suspects: Suspects,
    ) -> None:
        torch.set_num_threads(threads)
        self._model, self._passes, self._suspects = LoadedModel(model), tuple(passes), suspects
        self._source, self._limits, self._images = source, limits, images
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="decode")

    def __call__(self, table: pa.Table) -> pa.Table:
        if table[FAULT.name].null_count < table.num_rows:
            return table
        try:
            return self._looked_at(table)
        except UsageError as error:
            return stopped(table, MISTAKE, str(error))
        except MachineFault as error:
            return stopped(table, FAULT, str(error))

    def _looked_at(self, table: pa.Table) -> pa.Table:
        started = perf_counter()
        answers: dict[str, Row] = {}
        readable = self._read_again(self._came_through(table), answers)
        while batch := list(islice(readable, self._images)):
            judge_carefully(
                batch,
                [row["image_id"] for row, _ in batch],
                judge=lambda seen: self._judge(seen, answers),
                condemn=lambda seen: answers.update({seen[0]["image_id"]: _unjudged(condemned())}),
                suspects=self._suspects,
            )
        predicting = self._model.take_seconds()
        reading = perf_counter() - started - predicting
        return _add_seconds(
            _replace_rows(table, answers), {self._model.seconds_column: predicting, READ_SECONDS: reading}
        )

    def _came_through(self, table: pa.Table) -> list[Row]:
        for column in self._passes:
            table = table.filter(pc.fill_null(table[column], False))
        rows: list[Row] = table.filter(pc.equal(table["status"], OK)).to_pylist()
        return rows

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._source, self._limits, self._model.predictor.image_size)

    def _judge(self, seen: Sequence[Seen], answers: dict[str, Row]) -> None:
        read = columns_of(self._model.judging.reads, [row for row, _ in seen])
        judged = self._model({"image": np.stack([image for _, image in seen]), **read})
        for (row, _), columns in zip(seen, judged, strict=True):
            answers[row["image_id"]] = _unjudged(columns) if "status" in columns else columns

    def _read_again(self, rows: list[Row], answers: dict[str, Row]) -> Iterator[Seen]:
        """Rows with their pixels; `answers` receives what to write for those that cannot be read again."""

        def read(row: Row) -> Read:
            # Their own status and reason are the verdict on the first look.
            return self._reader.read_rows([{**row, "status": "", "reason": ""}])[0]

        for row, result in zip(rows, in_order_ahead(self._ahead, read, rows, 2 * self._images), strict=True):
            if result.image is not None and result.sha256 == row["sha256"]:
                yield row, result.image.pixels
                continue
            status, reason = (result.status, result.reason) if result.image is None else (ERROR, "changed")
            answers[row["image_id"]] = _unjudged({"status": status, "reason": reason, "detail": result.detail})


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


def _unjudged(columns: dict[str, Any]) -> Row:
    """A row that an earlier model has judged and that cannot be judged whole: it says nothing."""
    return {**dict.fromkeys(JUDGEMENT), **columns}


def _replace_rows(table: pa.Table, answers: dict[str, Row]) -> pa.Table:
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
