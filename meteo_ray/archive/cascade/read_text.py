"""Ray Data operator: what is written on charts, and on what may be some, and what the models make of it."""

import logging
from collections.abc import Sequence
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray.archive.cascade.judged_rows import (
    FAULT,
    MISTAKE,
    READ_SECONDS,
    TEXT_SECONDS,
    Row,
    may_go_on,
    replaced,
    stopped,
    with_seconds,
)
from meteo_ray.archive.cascade.models import Model
from meteo_ray.archive.cascade.second_look import SecondLook, is_unchanged, lost
from meteo_ray.archive.cascade.suspects import Suspects, carefully_read
from meteo_ray.archive.inputs.source import LocalSource, RemoteSource
from meteo_ray.archive.reading.limits import Limits
from meteo_ray.errors import MachineFault, UsageError
from meteo_ray.schema import OK
from meteo_ray.text.config import TextSettings
from meteo_ray.text.reader import TextReader
from meteo_ray.text.table import written

if TYPE_CHECKING:
    from meteo_ray.archive.cascade.judging_anew import JudgingAnew

logger = logging.getLogger("meteo_ray")

# Pages that are decoded before they are read, of up to 12 MB: one is enough, for reading takes longer than decoding.
PAGES_AHEAD = 1


class ReadText:
    """Reads charts and undecided images, by OCR in a guarded child, and has the models judge them anew; other rows pass
    untouched.

    `models` are those that have judged, in order. A page that cannot be read keeps its answers, and its row says of the
    text nothing (null).
    """

    def __init__(
        self,
        models: Sequence[Model],
        text: TextSettings,
        source: LocalSource | RemoteSource,
        limits: Limits,
        suspects: Suspects,
    ) -> None:
        self._models, self._text, self._suspects = models, text, suspects
        self._pages = SecondLook(source, limits, None, PAGES_AHEAD)
        self._reader = TextReader(text)

    def __call__(self, table: pa.Table) -> pa.Table:
        if any(table[field.name].null_count < table.num_rows for field in (MISTAKE, FAULT)):
            return table
        try:
            names = ["text", *table["image_id"].to_pylist()]
            with carefully_read(names, self._suspects):
                return self._with_text(table)
        except UsageError as error:
            return stopped(table, MISTAKE, str(error))
        except MachineFault as error:
            return stopped(table, FAULT, str(error))

    @cached_property
    def _judge_anew(self) -> "JudgingAnew":
        # Here, because the driver names this class, and need not load scikit-learn for that.
        from meteo_ray.archive.cascade.judging_anew import JudgingAnew

        return JudgingAnew(self._models)

    def _with_text(self, table: pa.Table) -> pa.Table:
        started, text_s = perf_counter(), 0.0
        rows = self._asked(table)
        for row, read in self._pages(rows):
            if not is_unchanged(row, read):
                row.update(lost(read))
            elif read.image is None:  # it decodes at the models' size, yet not as a page
                logger.warning("%s: goes without its text: %s", row["path"], read.detail)
            else:
                before = perf_counter()
                row.update(self._written(row["path"], read.image.pixels))
                text_s += perf_counter() - before
        self._judge_anew([row for row in rows if row["status"] == OK])
        seconds = {TEXT_SECONDS: text_s, READ_SECONDS: perf_counter() - started - text_s}
        return with_seconds(replaced(table, {row["image_id"]: row for row in rows}), seconds)

    def _asked(self, table: pa.Table) -> list[Row]:
        """The rows that every model has let through, or about which it is undecided."""
        rows: list[Row] = table.filter(pc.equal(table["status"], OK)).to_pylist()
        return [row for row in rows if all(may_go_on(row, model.judging, self._text) for model in self._models)]

    def _written(self, path: str, pixels: np.ndarray) -> Row:
        """The columns `schema.WRITTEN` of a page; none where it cannot be read."""
        reading = self._reader.read(pixels)
        try:
            if reading.failure is None:
                return written(reading.lines)
            detail = reading.detail
        except Exception as error:  # the lines are a stranger's: one page's oddity must not stop the job
            detail = f"{type(error).__name__}: {error}"
        logger.warning("%s: goes without its text: %s", path, detail)
        return {}
