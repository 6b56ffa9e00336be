"""A model inside an actor: its predictor, guarded against images that make it answer nonsense or fail."""

import logging
import os
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
import torch

from meteo_ray.archive.cascade.judged_rows import CRASHED, seconds_column
from meteo_ray.archive.cascade.models import Model
from meteo_ray.batch import Batch, concatenate
from meteo_ray.errors import MachineFault, UsageError
from meteo_ray.schema import ERROR

logger = logging.getLogger("meteo_ray")

Columns = dict[str, Any]

NOT_FINITE = "not_finite"  # the model answered NaN or infinity for this image
DEVICE_FAILED = 70  # exit status, of sysexits.h: internal software error


def loaded(models: Sequence[Model], threads: int, votes: bool = False) -> "list[LoadedModel]":
    """Models at work in this process, which may use so many threads of the CPU."""
    torch.set_num_threads(threads)
    return [LoadedModel(model, votes) for model in models]


class LoadedModel:
    """A model at work, with the seconds that its calls take.

    One image for which it fails or answers NaN costs that row. A model that fails for a plain test image too is
    broken: that stops the job before anything is written down.

    Args:
        votes: whether the raw votes are wanted beside the stage's columns.
    """

    def __init__(self, model: Model, votes: bool = False) -> None:
        self.name, self.judging, self.seconds_column = model.name, model.judging, seconds_column(model.name)
        self._votes = model.judging.votes if votes else None
        self._seconds = 0.0
        self._mistake = ""
        self._predictor: Any = None
        try:
            self._predictor = model.load()
        except UsageError as error:
            self._mistake = str(error)

    @property
    def on_gpu(self) -> bool:
        """Whether the model computes on a GPU, and so may be given SharedImages."""
        return bool(getattr(getattr(self._predictor, "device", None), "type", "cpu") == "cuda")

    @property
    def needs_pixels(self) -> bool:
        """Whether the model looks at the images that it judges. Raises UsageError when it could not be loaded."""
        return bool(getattr(self.predictor, "needs_pixels", True))

    @property
    def predictor(self) -> Any:
        """Raises UsageError when the model could not be loaded."""
        if self._mistake:
            raise UsageError(self._mistake)
        return self._predictor

    def __call__(self, batch: Batch) -> list[Columns]:
        """Judge a batch: for each row the stage's columns and its votes, if wanted; or status, reason and detail of why
        there are none.

        Raises:
            UsageError: when the model could not be loaded, or answers NaN for any image.
            MachineFault: when the device has no memory for one image.
            Exception: what the model raises for any image: a defect.
        """
        started = perf_counter()
        try:
            return self._judge(batch)
        finally:
            self._seconds += perf_counter() - started

    def take_seconds(self) -> float:
        """Seconds that the predictor has worked since this was last asked."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds

    def _judge(self, batch: Batch) -> list[Columns]:
        """The whole batch; where that fails, each row by itself."""
        rows = len(batch["image"])
        try:
            answer = self._predict(batch)
        except UsageError:
            raise
        except Exception as error:
            _require_memory(self.name, error)
            self._require_sound(batch, error)
            if rows == 1:
                logger.warning("%s fails for one image: %s", self.name, error)
                return [{"status": ERROR, "reason": CRASHED, "detail": f"{self.name}: {type(error).__name__}: {error}"}]
            return [self._judge(_row(batch, row))[0] for row in range(rows)]
        finite = self._finite_rows(answer)
        if not finite.all():
            self._require_sound(batch, None)
        return [self._columns(answer, row) if finite[row] else self._no_number() for row in range(rows)]

    def _columns(self, answer: Batch, row: int) -> Columns:
        columns = {name: values[row] for name, values in self._told(answer).items()}
        if self._votes is not None and self._votes in columns:
            columns[self._votes] = columns[self._votes].ravel()
        return columns

    def _told(self, answer: Batch) -> Batch:
        """The columns that go on from here; a predictor may answer more, such as -inf for what nobody asked."""
        names = self.judging.answers if self._votes is None else (*self.judging.answers, self._votes)
        return {name: answer[name] for name in names if name in answer}

    def _finite_rows(self, answer: Batch) -> np.ndarray:
        """Whether each row's numbers are finite, bool `(rows,)`, of what goes on from here."""
        finite = np.ones(len(next(iter(answer.values()))), dtype=bool)
        for values in self._told(answer).values():
            if np.issubdtype(values.dtype, np.floating):
                finite &= np.isfinite(values).reshape(len(values), -1).all(axis=1)
        return finite

    def _no_number(self) -> Columns:
        return {"status": ERROR, "reason": NOT_FINITE, "detail": f"{self.name} answered NaN or infinity"}

    def _require_sound(self, batch: Batch, error: Exception | None) -> None:
        """A test image in the place of the first row's tells a broken model or device from an odd image."""
        test = {name: values[:1] for name, values in batch.items() if name != "descriptors"}  # they are that row's
        test["image"] = np.random.default_rng(0).integers(0, 256, test["image"].shape, dtype=np.uint8)
        try:
            if self._finite_rows(self._predict(test)).all():
                return
        except torch.AcceleratorError:
            # The device's context died with that call. A new process gets the batch again, and finds the guilty image
            # (archive.suspects).
            logger.exception("%s: the device failed", self.name)
            os._exit(DEVICE_FAILED)
        except Exception as also:  # a defect, for which no image is to blame: it keeps its traceback
            raise (error or also) from None
        raise UsageError(
            f"the {self.name} model answers NaN or infinity for any image: its weights are damaged, or do not suit "
            f"this device; train it anew or give another --models"
        )

    def _predict(self, batch: Batch) -> Batch:
        """Out of device memory: the two halves one after the other, down to single images."""
        rows = len(batch["image"])
        try:
            answer: Batch = self.predictor(batch)
            return answer
        except torch.OutOfMemoryError:
            if rows == 1:
                raise
        torch.cuda.empty_cache()
        halves = [slice(0, rows // 2), slice(rows // 2, rows)]
        return concatenate([self._predict({name: values[half] for name, values in batch.items()}) for half in halves])


def _row(batch: Batch, row: int) -> Batch:
    return {name: values[row : row + 1] for name, values in batch.items()}


def _require_memory(name: str, error: Exception) -> None:
    """All images have one size for a model: where one finds no memory, it is not the image's fault."""
    words = str(error).lower()
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in words:
        first = str(error).splitlines()[0] if words else "out of memory"
        raise MachineFault(f"{name}: no memory for a single image: {first}; run again with --resume") from None
