"""Second and third operator of the cascade: pixels in, columns of the predictions out. Rows are marked, never dropped.

Between these two and the writer a row has the columns of schema.PREDICTIONS, what a second look at the file needs,
and the seconds that it took.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from meteo_ray.archive.read import Limits, Read, Reader
from meteo_ray.archive.source import Listed, Source
from meteo_ray.archive.stages import LoadedStage, Stage
from meteo_ray.batch import Batch
from meteo_ray.schema import ERROR, OK, PREDICTIONS, SCHEMA_VERSION

SECONDS = ("read_s", "gate_s", "elements_s", "products_s")
LISTED = [pa.field("size", pa.int64()), pa.field("modified_ns", pa.int64())]
MISTAKE = pa.field("mistake", pa.string())  # see LoadedStage
JUDGED = pa.schema([*PREDICTIONS, *LISTED, *(pa.field(name, pa.float64()) for name in SECONDS), MISTAKE])

_JUDGEMENT = ("is_meteo", "gate_score", "elements", "element_sequence", "product", "product_score", "product_top")

Item = TypeVar("Item")
Result = TypeVar("Result")


class JudgeCharts:
    """Ray Data operator holding gate and elements on one device: every readable row gets the gate's columns, and the
    charts among them the elements'. The pixels end here."""

    def __init__(self, gate: Stage, elements: Stage | None, model_version: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self._gate = LoadedStage(gate)
        self._elements = LoadedStage(elements) if elements else None
        self._model_version = model_version

    def __call__(self, batch: Batch) -> pa.Table:
        rows = len(batch["path"])
        judged: list[dict[str, Any]] = [{} for _ in range(rows)]
        mistake = self._gate.mistake or (self._elements.mistake if self._elements else None)
        if mistake:
            return self._table(batch, judged, mistake)
        readable = np.flatnonzero(batch["status"] == OK)
        self._judge(self._gate, batch, readable, judged)
        if self._elements:
            charts = np.array([row for row in readable if judged[row]["is_meteo"]], dtype=np.int64)
            self._judge(self._elements, batch, charts, judged)
        return self._table(batch, judged)

    @staticmethod
    def _judge(stage: LoadedStage, batch: Batch, rows: np.ndarray, judged: list[dict[str, Any]]) -> None:
        if not len(rows):
            return
        for row, columns in zip(rows, stage(batch["sha256"][rows], {"image": batch["image"][rows]}), strict=True):
            judged[row].update(columns)

    def _table(self, batch: Batch, judged: list[dict[str, Any]], mistake: str | None = None) -> pa.Table:
        rows = len(judged)
        seconds = {"gate_s": self._gate.take_seconds(), "products_s": 0.0}
        seconds["elements_s"] = self._elements.take_seconds() if self._elements else 0.0
        columns: dict[str, Any] = {name: [row.get(name) for row in judged] for name in _JUDGEMENT}
        columns |= {name: _or_null(batch[name]) for name in ("sha256", "width", "height", "reason")}
        columns |= {name: batch[name] for name in ("image_id", "path", "status", "size", "modified_ns", "read_s")}
        columns |= {name: [total / rows] * rows for name, total in seconds.items()}
        columns["mistake"] = [mistake] * rows
        columns["model_version"] = [self._model_version] * rows
        columns["schema_version"] = [SCHEMA_VERSION] * rows
        return pa.table({field.name: pa.array(columns[field.name], field.type) for field in JUDGED}, schema=JUDGED)


class NameProducts:
    """Ray Data operator of the products stage: decodes the charts again, at the size of the vision tower, and judges
    them in full mini-batches; other rows pass through untouched."""

    def __init__(self, stage: Stage, source: Source, limits: Limits, images: int, threads: int) -> None:
        torch.set_num_threads(threads)
        self._stage = LoadedStage(stage)
        self._source, self._limits, self._images = source, limits, images
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="decode")

    def __call__(self, table: pa.Table) -> pa.Table:
        if self._stage.mistake:
            mistake = pa.array([self._stage.mistake] * table.num_rows, pa.string())
            return table.set_column(table.schema.get_field_index(MISTAKE.name), MISTAKE, mistake)
        started = perf_counter()
        charts = table.filter(pc.fill_null(table["is_meteo"], False)).to_pylist()
        failed: dict[str, dict[str, Any]] = {}
        while unseen := self._unseen([row for row in charts if row["image_id"] not in failed]):
            self._judge(unseen, failed)
        known = self._stage.judgements
        answers = {row["image_id"]: failed.get(row["image_id"]) or known.get(row["sha256"]) or {} for row in charts}
        named = _replace_rows(table, answers)
        predicting = self._stage.take_seconds()
        return _add_seconds(named, products_s=predicting, read_s=perf_counter() - started - predicting)

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._source, self._limits, self._stage.predictor.image_size)

    def _unseen(self, charts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """One row of each image that has no judgement yet."""
        digests = np.array([row["sha256"] for row in charts], dtype=object)
        return [charts[position] for position in self._stage.judgements.missing(digests)]

    def _judge(self, rows: list[dict[str, Any]], failed: dict[str, dict[str, Any]]) -> None:
        """Judge distinct images; `failed` receives, by image_id, what to write for those that cannot be read again."""
        readable = self._read_again(rows, failed)
        while batch := list(islice(readable, self._images)):
            elements = np.empty(len(batch), dtype=object)
            elements[:] = [row["elements"] for row, _ in batch]
            sha256 = np.array([row["sha256"] for row, _ in batch], dtype=object)
            self._stage.judge(sha256, {"image": np.stack([image for _, image in batch]), "elements": elements})

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


def _or_null(values: np.ndarray) -> list[Any]:
    return [value or None for value in values.tolist()]


def _replace_rows(table: pa.Table, answers: dict[str, dict[str, Any]]) -> pa.Table:
    if not answers:
        return table
    rows = [{**row, **answers.get(row["image_id"], {})} for row in table.to_pylist()]
    return pa.Table.from_pylist(rows, schema=JUDGED)


def _add_seconds(table: pa.Table, **seconds: float) -> pa.Table:
    for name, total in seconds.items():
        position = table.schema.get_field_index(name)
        values = pc.add(table[name], total / max(table.num_rows, 1))
        table = table.set_column(position, JUDGED.field(name), values)
    return table
