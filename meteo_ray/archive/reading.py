"""One listed file -> its pixels, or why there are none: what cannot be read is marked, never raised."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from meteo_ray.archive.source import Changed, Listed, Source
from meteo_ray.files import sha256_of
from meteo_ray.imaging.decode import DecodeFailure
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


def _sha256(file: Path) -> str:
    try:
        return sha256_of(file)
    except OSError:
        return ""
