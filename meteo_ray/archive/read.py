"""First operator of the cascade: listed files in, pixels out; what cannot be read is marked, never raised."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import numpy as np

from meteo_ray.archive.manifest import Chunk
from meteo_ray.archive.source import Changed, Listed, Source
from meteo_ray.batch import Batch
from meteo_ray.files import sha256_of
from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.imaging.guarded_decoding import GuardedLoader
from meteo_ray.imaging.load import LoadedImage
from meteo_ray.schema import ERROR, OK


@dataclass(frozen=True)
class Limits:
    """What one image may cost."""

    timeout_s: float
    memory_limit_mb: int

    def loader(self) -> GuardedLoader:
        """A loader whose child process may hang, crash or run out of memory without harm to this one."""
        return GuardedLoader(timeout_s=self.timeout_s, memory_limit_bytes=self.memory_limit_mb << 20)


@dataclass(frozen=True)
class Read:
    """What became of one file: its image, or why there is none."""

    status: str
    reason: str = ""
    sha256: str = ""
    image: LoadedImage | None = None


class Reader:
    """Reads listed files at one size, through one guarded child process."""

    def __init__(self, source: Source, limits: Limits, size: tuple[int, int]) -> None:
        self.source, self.size = source, size
        self._loader = limits.loader().__enter__()

    def read(self, path: str, listed: Listed | None = None) -> Read:
        """The file's pixels, `(height, width, 3)` uint8, or the status and reason of their absence."""
        try:
            with self.source.local_file(path, listed) as file:
                return self._load(file)
        except Changed:
            return Read(ERROR, "changed")
        except OSError:
            return Read(ERROR, "io")

    def _load(self, file: Path) -> Read:
        try:
            image = self._loader.load(file, self.size)
        except DecodeFailure as failure:
            return Read(failure.status, failure.reason, _sha256(file))
        return Read(OK, "", image.sha256, image)

    def close(self) -> None:
        self._loader.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
            "read_s": np.full(rows, (perf_counter() - started) / rows),
        }

    def _read(self, row: dict[str, Any]) -> Read:
        if row["status"]:
            return Read(row["status"], row["reason"])
        return self._reader.read(row["path"], Listed(row["size"], row["modified_ns"]))


def _sha256(file: Path) -> str:
    try:
        return sha256_of(file)
    except OSError:
        return ""
