"""Ray Data operator: pixels in, columns of the predictions out. Rows are marked, never dropped."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from meteo_ray.archive.cascade.judged_rows import (
    FAULT,
    JUDGED,
    JUDGEMENT,
    MISTAKE,
    READ_SECONDS,
    SECONDS,
    TOLD,
    VOTES,
    Row,
    condemned,
    may_go_on,
)
from meteo_ray.archive.cascade.models import Model
from meteo_ray.archive.cascade.suspects import Suspects, judge_carefully
from meteo_ray.archive.inputs.manifest import PLACE
from meteo_ray.batch import Batch
from meteo_ray.errors import MachineFault, UsageError
from meteo_ray.schema import OK, SCHEMA_VERSION, WRITTEN
from meteo_ray.text.config import TextSettings

NOT_READ = TextSettings()
_FILE = ("sha256", "width", "height", "format", "n_frames", "status", "reason", "detail")


class JudgeImages:
    """The models that share one decoded image, on one device: every readable row is judged by the first, and what a
    model lets through by the next. The pixels end here.

    What is let through is judged with its block, not gathered over blocks into full batches: then rows would wait here
    that no suspicion knows of, should the process die. On a GPU larger `batches.rows` fill the next model's batches.

    Where text is read afterwards, rows on which a model is undecided are judged by the next as well, because the text
    may let them through, and the models' votes go along.
    """

    def __init__(
        self,
        models: Sequence[Model],
        model_version: str,
        threads: int,
        suspects: Suspects,
        text: TextSettings = NOT_READ,
    ) -> None:
        # Here, because the driver names this class, and need not load torch for that.
        from meteo_ray.archive.cascade.loaded_model import loaded

        self._models = loaded(models, threads, votes=text.mode != "off")
        self._model_version, self._suspects, self._text = model_version, suspects, text

    def __call__(self, batch: Batch) -> pa.Table:
        judged: list[Row] = [{} for _ in range(len(batch["path"]))]
        mistake, fault = "", str(next((text for text in batch[FAULT.name] if text), ""))
        if not fault:
            try:
                self._judge_rows(batch, judged)
            except UsageError as error:
                mistake = str(error)
            except MachineFault as error:
                fault = str(error)
        return self._table(batch, judged, mistake, fault)

    def _judge_rows(self, batch: Batch, judged: list[Row]) -> None:
        readable = [int(row) for row in np.flatnonzero(batch["status"] == OK)]
        seen: dict[str, Any] = {name: batch[name] for name in ("image", "descriptors") if name in batch}
        if all(model.on_gpu for model in self._models):
            from meteo_ray.judging.shared_images import SharedImages  # with torch, which is there by now

            seen["image"] = SharedImages(batch["image"])
        judge_carefully(
            readable,
            [str(batch["image_id"][row]) for row in readable],
            judge=lambda rows: self._judge(seen, rows, judged),
            condemn=lambda row: judged[row].update(condemned()),
            suspects=self._suspects,
        )

    def _judge(self, seen: dict[str, Any], rows: Sequence[int], judged: list[Row]) -> None:
        """`seen`: what models look at, of the whole batch."""
        for model in self._models:
            if not rows:
                return
            asked = {name: _chosen(values, rows) for name, values in seen.items()}
            asked |= columns_of(model.judging.reads, [judged[row] for row in rows])
            for row, columns in zip(rows, model(asked), strict=True):
                judged[row].update(columns)
            rows = [row for row in rows if "status" not in judged[row]]
            rows = [row for row in rows if may_go_on(judged[row], model.judging, self._text)]

    def _table(self, batch: Batch, judged: list[Row], mistake: str, fault: str) -> pa.Table:
        rows = len(judged)
        seconds = dict.fromkeys(SECONDS, 0.0) | {model.seconds_column: model.take_seconds() for model in self._models}
        columns: dict[str, Any] = {name: [row.get(name) for row in judged] for name in JUDGEMENT}
        columns |= {field.name: [row.get(field.name) for row in judged] for field in (*VOTES, *TOLD)}
        columns |= {name: [None] * rows for name in WRITTEN.names}
        columns |= {name: [total / rows] * rows for name, total in seconds.items()}
        columns |= {name: _overlaid(batch[name], name, judged) for name in _FILE}
        columns |= {name: batch[name] for name in ("image_id", "path", READ_SECONDS)}
        columns |= {field.name: batch[field.name] for field in PLACE}
        columns |= {MISTAKE.name: [mistake or None] * rows, FAULT.name: [fault or None] * rows}
        columns |= {"model_version": [self._model_version] * rows, "schema_version": [SCHEMA_VERSION] * rows}
        return pa.table({field.name: pa.array(columns[field.name], field.type) for field in JUDGED}, schema=JUDGED)


def _chosen(values: Any, rows: Sequence[int]) -> Any:
    """Some rows of a column; where these are all, the column itself: pixels are not copied without need."""
    return values if len(rows) == len(values) else values[list(rows)]


def columns_of(names: Sequence[str], rows: Sequence[Row]) -> Batch:
    """Some columns of rows as a predictor reads them, None where a row has no such; lists stay lists."""
    columns = {name: np.empty(len(rows), dtype=object) for name in names}
    for name, column in columns.items():
        column[:] = [row.get(name) for row in rows]
    return columns


def _overlaid(values: np.ndarray, name: str, judged: Sequence[Row]) -> list[Any]:
    """What is known of the files, with what judging them has changed; null where there is nothing."""
    return [row.get(name, value) or None for value, row in zip(values.tolist(), judged, strict=True)]
