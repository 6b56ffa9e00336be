"""Ray Data operator: rows of the manifest in; pixels out. Rows are marked, never dropped."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
import pyarrow as pa

from meteo_ray.archive.cascade.judged_rows import FAULT, READ_SECONDS
from meteo_ray.archive.cascade.suspects import Suspects, read_carefully
from meteo_ray.archive.inputs.source import LocalSource, RemoteSource
from meteo_ray.archive.reading.claims import Claims
from meteo_ray.archive.reading.limits import Limits
from meteo_ray.archive.reading.reader import Read, Reader
from meteo_ray.batch import Batch
from meteo_ray.errors import MachineFault
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.schema import ERROR

_TEXTS = ("sha256", "status", "reason", "detail")
_NUMBERS = ("width", "height", "n_frames")


class ReadImages:
    """Rows of the manifest in; the same rows with sha256, width, height, format, n_frames, image `(rows, 240, 320, 3)`
    and read_s out.

    Rows that the listing has already judged, those that cannot be read, and those whose content another row brings
    carry a black image that nobody looks at. Text is "" and numbers are 0 where there is nothing, because Arrow cannot
    type a column of None.
    """

    def __init__(self, source: LocalSource | RemoteSource, limits: Limits, claims: Claims, suspects: Suspects) -> None:
        self._reader, self._suspects = Reader(source, limits, INPUT_SIZE, claims), suspects

    def __call__(self, listed: pa.Table) -> Batch:
        started = perf_counter()
        rows = listed.to_pylist()
        fault = ""
        try:
            names = listed["image_id"].to_pylist()
            read = read_carefully(names, lambda: self._reader.read_rows(rows), self._suspects)
        except MachineFault as problem:
            fault, read = str(problem), [Read(ERROR)] * len(rows)
        return {
            **_place(rows),
            **_file(read),
            "image": _pixels(read),
            FAULT.name: np.array([fault] * len(rows), dtype=object),
            READ_SECONDS: np.full(len(rows), (perf_counter() - started) / len(rows)),
        }


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


def _pixels(read: Sequence[Read]) -> np.ndarray:
    width, height = INPUT_SIZE
    images = np.zeros((len(read), height, width, 3), dtype=np.uint8)
    for row, one in enumerate(read):
        if one.image is not None:
            images[row] = one.image.pixels
    return images
