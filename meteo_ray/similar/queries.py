"""The images that are asked about: one file, or a folder of them, read with the archive's guards."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from meteo_ray.archive.inputs.listing import Entry, entry
from meteo_ray.archive.inputs.source import LocalSource
from meteo_ray.archive.reading.limits import Limits
from meteo_ray.archive.reading.reader import Reader
from meteo_ray.errors import UsageError
from meteo_ray.imaging.decode import modification_time
from meteo_ray.imaging.fit import INPUT_SIZE


@dataclass(frozen=True)
class Query:
    """An image that is asked about: its pixels, uint8 `(240, 320, 3)`, or why it has none."""

    path: str
    pixels: np.ndarray | None
    sha256: str = ""
    problem: str = ""


def read_queries(image: Path, limits: Limits) -> list[Query]:
    """The file, or every file of the folder at any depth, by path; files that are no images say so.

    Raises:
        UsageError: when there is nothing to read.
    """
    source, entries = _listed(image)
    if not entries:
        raise UsageError(f"--image {image}: an empty folder; give an image or a folder of images")
    with Reader(source, limits, INPUT_SIZE) as reader:
        return list(_read(reader, entries))


def _listed(image: Path) -> tuple[LocalSource, list[Entry]]:
    if not image.exists():
        raise UsageError(f"--image {image}: no such file or folder")
    place = image.resolve()
    if place.is_dir():
        source = LocalSource(str(place))
        return source, sorted(source.entries(), key=lambda found: found.path)
    status = place.stat()
    return LocalSource(str(place.parent)), [entry(os.fsencode(place.name), status.st_size, modification_time(status))]


def _read(reader: Reader, entries: list[Entry]) -> Iterator[Query]:
    for one in entries:
        (read,) = reader.read_rows([asdict(one)])
        if read.image is None:
            yield Query(one.path, None, read.sha256, f"{read.reason}: {read.detail}".rstrip(": "))
        else:
            yield Query(one.path, read.image.pixels, read.sha256)
