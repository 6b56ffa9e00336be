"""Ray Data operator of a model with pixels of its own: decodes what came through once more, at that model's size."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray.archive.cascade.judge_images import columns_of
from meteo_ray.archive.cascade.judged_rows import (
    FAULT,
    MISTAKE,
    READ_SECONDS,
    Row,
    condemned,
    replaced,
    stopped,
    unjudged,
    with_seconds,
)
from meteo_ray.archive.cascade.models import Model
from meteo_ray.archive.cascade.second_look import SecondLook, is_unchanged, lost
from meteo_ray.archive.cascade.suspects import Suspects, judge_carefully
from meteo_ray.archive.inputs.source import LocalSource, RemoteSource
from meteo_ray.archive.reading.limits import Limits
from meteo_ray.errors import MachineFault, UsageError
from meteo_ray.schema import OK

Seen = tuple[Row, np.ndarray]

# What a model that looks at no pixels is given.
BLANK = np.zeros((1, 1, 3), dtype=np.uint8)


class LookAgain:
    """Judges what came through, in full mini-batches of `images`; other rows pass untouched. `passes` are the columns
    of earlier models that decide what came through. For a model that looks at no pixels nothing is decoded."""

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
        # Here, because the driver names this class, and need not load torch for that.
        from meteo_ray.archive.cascade.loaded_model import loaded

        (self._model,) = loaded([model], threads)
        self._passes, self._suspects = tuple(passes), suspects
        self._source, self._limits, self._images = source, limits, images

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
                condemn=lambda seen: answers.update({seen[0]["image_id"]: unjudged(condemned())}),
                suspects=self._suspects,
            )
        predicting = self._model.take_seconds()
        reading = perf_counter() - started - predicting
        seconds = {self._model.seconds_column: predicting, READ_SECONDS: reading}
        return with_seconds(replaced(table, answers), seconds)

    def _came_through(self, table: pa.Table) -> list[Row]:
        for column in self._passes:
            table = table.filter(pc.fill_null(table[column], False))
        rows: list[Row] = table.filter(pc.equal(table["status"], OK)).to_pylist()
        return rows

    @cached_property
    def _second_look(self) -> SecondLook:
        return SecondLook(self._source, self._limits, self._model.predictor.image_size, 2 * self._images)

    def _judge(self, seen: Sequence[Seen], answers: dict[str, Row]) -> None:
        read = columns_of(self._model.judging.reads, [row for row, _ in seen])
        judged = self._model({"image": np.stack([image for _, image in seen]), **read})
        for (row, _), columns in zip(seen, judged, strict=True):
            answers[row["image_id"]] = unjudged(columns) if "status" in columns else columns

    def _read_again(self, rows: list[Row], answers: dict[str, Row]) -> Iterator[Seen]:
        """Rows with their pixels; `answers` receives what to write for those that cannot be read again."""
        if not self._model.needs_pixels:
            yield from ((row, BLANK) for row in rows)
            return
        for row, read in self._second_look(rows):
            if read.image is not None and is_unchanged(row, read):
                yield row, read.image.pixels
            else:
                answers[row["image_id"]] = lost(read)
