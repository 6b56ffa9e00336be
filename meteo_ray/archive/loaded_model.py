"""A model inside an actor: its predictor, and what it has already said about images seen before."""

from collections import OrderedDict
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
import torch

from meteo_ray.archive.judged_rows import seconds_column
from meteo_ray.archive.models import Model
from meteo_ray.batch import Batch
from meteo_ray.errors import MeteoRayError, UsageError

# A remembered judgement is about 1 kB (a dozen scored ids): 100 MB at most.
REMEMBERED_IMAGES = 100_000


class Judgements:
    """Columns by sha256: the same bytes get the same scores, to the last bit, and cost one forward pass."""

    def __init__(self, columns: Sequence[str], capacity: int = REMEMBERED_IMAGES) -> None:
        self.columns, self.capacity = tuple(columns), capacity
        self._rows: OrderedDict[str, tuple[Any, ...]] = OrderedDict()

    def missing(self, sha256: np.ndarray) -> np.ndarray:
        """Positions of the first row of each image that has no judgement yet."""
        first: dict[str, int] = {}
        for position, digest in enumerate(sha256):
            if digest in self._rows:
                self._rows.move_to_end(digest)
            else:
                first.setdefault(digest, position)
        return np.array(list(first.values()), dtype=np.int64)

    def add(self, sha256: np.ndarray, batch: Batch) -> None:
        """Remember the rows of a predictor's answer; the longest unused ones are forgotten."""
        for position, digest in enumerate(sha256):
            self._rows[digest] = tuple(batch[name][position] for name in self.columns)
        while len(self._rows) > max(self.capacity, len(sha256)):
            self._rows.popitem(last=False)

    def get(self, digest: str) -> dict[str, Any] | None:
        """One image's columns, or None when it has not been judged."""
        row = self._rows.get(digest)
        return None if row is None else dict(zip(self.columns, row, strict=True))


class LoadedModel:
    """A model at work, with the seconds that its calls take.

    `mistake` is what only the user can mend about the model, or None. It travels to the driver as a column, because
    Ray takes an exception for a defect: it tries again and brings no more than a text of it.
    """

    def __init__(self, model: Model) -> None:
        self.name, self.judging, self.seconds_column = model.name, model.judging, seconds_column(model.name)
        self.judgements = Judgements(model.judging.columns.names)
        self.mistake: str | None = None
        self._seconds = 0.0
        try:
            self.predictor: Any = model.load()
        except UsageError as error:
            self.mistake = str(error)

    def __call__(self, sha256: np.ndarray, batch: Batch) -> list[dict[str, Any]]:
        """Judge a batch; one dict of the stage's columns for each row."""
        missing = self.judgements.missing(sha256)
        if len(missing):
            self.judge(sha256[missing], {name: values[missing] for name, values in batch.items()})
        found = [self.judgements.get(digest) for digest in sha256]
        return [row for row in found if row is not None]

    def judge(self, sha256: np.ndarray, batch: Batch) -> None:
        """Judge distinct images that have no judgement yet.

        Raises:
            MeteoRayError: when the model answers NaN or infinity; such a number never reaches a file.
        """
        started = perf_counter()
        answer = self._predict(batch)
        self._seconds += perf_counter() - started
        for name, values in answer.items():
            if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
                bad = sha256[~np.isfinite(values).reshape(len(values), -1).all(axis=1)][0]
                raise MeteoRayError(f"the {self.name} model gave {name} = NaN or infinity for the image {bad[:16]}")
        self.judgements.add(sha256, answer)

    def take_seconds(self) -> float:
        """Seconds that the predictor has worked since this was last asked."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def _predict(self, batch: Batch) -> Batch:
        """Out of device memory: the two halves one after the other, down to single images."""
        rows = len(batch["image"])
        try:
            return self.predictor(batch)
        except torch.OutOfMemoryError:
            if rows == 1:
                raise
        torch.cuda.empty_cache()
        halves = [slice(0, rows // 2), slice(rows // 2, rows)]
        answers = [self._predict({name: values[half] for name, values in batch.items()}) for half in halves]
        return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}
