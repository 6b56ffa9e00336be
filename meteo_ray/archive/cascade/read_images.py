"""Ray Data operator: rows of the manifest in; pixels out. Rows are marked, never dropped."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa

from meteo_ray.archive.cascade.judged_rows import FAULT, READ_SECONDS
from meteo_ray.archive.cascade.second_look import in_order_ahead
from meteo_ray.archive.cascade.suspects import Suspects, carefully_read
from meteo_ray.archive.inputs.source import LocalSource, RemoteSource
from meteo_ray.archive.reading.claims import Claims
from meteo_ray.archive.reading.limits import Limits
from meteo_ray.archive.reading.reader import Read, Reader
from meteo_ray.batch import Batch
from meteo_ray.errors import MachineFault
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.schema import ERROR
from meteo_ray.voters.descriptors import FEATURES

_TEXTS = ("sha256", "status", "reason", "detail")
_NUMBERS = ("width", "height", "n_frames")


# Blocks that are read while Ray takes over the one before.
BLOCKS_AHEAD = 1


class ReadImages:
    """Rows of the manifest in; the same rows out, in blocks of `rows`, with sha256, width, height, format, n_frames,
    image `(rows, 240, 320, 3)`, read_s and, if `described`, descriptors `(rows, FEATURES)`.

    Rows that the listing has already judged, those that cannot be read, and those whose content another row brings
    carry a black image that nobody looks at. Text is "" and numbers are 0 where there is nothing, because Arrow cannot
    type a column of None.
    """

    def __init__(
        self,
        source: LocalSource | RemoteSource,
        limits: Limits,
        claims: Claims,
        suspects: Suspects,
        rows: int,
        described: bool,
    ) -> None:
        self._features, self._rows, self._suspects = FEATURES if described else 0, rows, suspects
        self._reader = Reader(source, limits, INPUT_SIZE, claims, self._features)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="read")

    def __call__(self, listed: pa.Table) -> Iterator[Batch]:
        blocks = [listed.slice(start, self._rows).to_pylist() for start in range(0, listed.num_rows, self._rows)]
        try:
            with carefully_read(listed["image_id"].to_pylist(), self._suspects):
                yield from in_order_ahead(self._pool, self._read, blocks, BLOCKS_AHEAD)
        except MachineFault as problem:  # processes that read have died too often
            yield from map(partial(self._unread, fault=str(problem)), blocks)

    def _read(self, rows: list[dict[str, Any]]) -> Batch:
        started = perf_counter()
        width, height = INPUT_SIZE
        images = np.zeros((len(rows), height, width, 3), dtype=np.uint8)
        try:
            read = self._reader.read_rows(rows, images)
        except MachineFault as problem:
            return self._unread(rows, str(problem))
        return self._block(rows, read, images, "", perf_counter() - started)

    def _unread(self, rows: list[dict[str, Any]], fault: str) -> Batch:
        width, height = INPUT_SIZE
        nothing = np.zeros((len(rows), height, width, 3), dtype=np.uint8)
        return self._block(rows, [Read(ERROR)] * len(rows), nothing, fault, 0.0)

    def _block(
        self, rows: list[dict[str, Any]], read: Sequence[Read], images: np.ndarray, fault: str, seconds: float
    ) -> Batch:
        found = {
            **_place(rows),
            **_file(read),
            "image": images,
            FAULT.name: np.array([fault] * len(rows), dtype=object),
            READ_SECONDS: np.full(len(rows), seconds / len(rows)),
        }
        return found | {"descriptors": _descriptors(read)} if self._features else found


def _place(rows: Sequence[dict[str, Any]]) -> Batch:
    """What finds the file again."""
    numbers = {name: np.array([row[name] or 0 for row in rows]) for name in ("position", "size", "modified_ns")}
    texts = {name: np.array([row[name] for row in rows], dtype=object) for name in ("image_id", "path")}
    return {**numbers, **texts, "name": np.array([row["name"] or b"" for row in rows], dtype=object)}


def _file(read: Sequence[Read]) -> Batch:
    texts = {name: np.array([getattr(one, name) for one in read], dtype=object) for name in _TEXTS}
    numbers = {
        name: np.array([getattr(one.image, name) if one.image else 0 for one in read], dtype=np.int32)
        for name in _NUMBERS
    }
    formats = np.array([one.image.format if one.image else "" for one in read], dtype=object)
    return {**texts, **numbers, "format": formats}


def _descriptors(read: Sequence[Read]) -> np.ndarray:
    found = np.zeros((len(read), FEATURES), dtype=np.float32)
    for row, one in enumerate(read):
        if one.image is not None:
            found[row] = one.image.descriptors
    return found
