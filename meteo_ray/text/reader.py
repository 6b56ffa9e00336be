"""Reads what is written on an image, with OCR in a guarded child: engines of this kind hang, crash and grow."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import numpy as np
import psutil
from pydantic import TypeAdapter, ValidationError

from meteo_ray.errors import MachineFault
from meteo_ray.imaging.decode import DecodeFailure, Reason
from meteo_ray.imaging.guarded_process import ChildLost, GuardedProcess, Returned, persistently
from meteo_ray.text.config import ReadingSettings
from meteo_ray.text.lines import TextLine

READ = "meteo_ray.text.engine:read_lines"

# A page that is read has at most 2000 pixels to a side, of which a line takes ten: some twenty columns of two hundred.
MOST_LINES = 4000

# The 576 MB of the largest image that is taken (imaging.decode.DecodeLimits), the 650 MB of addresses that the engine
# took beyond its start for a page of the most pixels that it looks at, and a fifth for what varies.
MEMORY_LIMIT_BYTES = 3 * 2**29

LINES = TypeAdapter(tuple[TextLine, ...])
"""Lines as JSON and back, checked."""


@dataclass(frozen=True)
class Reading:
    """What is written on an image, or why that is not known.

    Attributes:
        lines: the lines, the largest first; none where nothing is written or reading failed.
        failure: None, or whether reading took too long or lost its process.
        detail: what happened, for a log.
    """

    lines: tuple[TextLine, ...] = ()
    failure: Reason | None = None
    detail: str = ""


class TextReader(GuardedProcess):
    """Reads images one at a time; a context manager. Its child starts with the first image, in some seconds.

    Args:
        settings: what is read of an image, and for how long; the mode must not be "off".
        attempts: how often an image is tried before it goes without its text.
        function: "module:function" with the contract of `engine.read_lines`, importable in the child.
        memory_limit_bytes: memory that the child may take beyond what it starts with.
    """

    def __init__(
        self,
        settings: ReadingSettings,
        attempts: int = 2,
        function: str = READ,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
    ) -> None:
        if settings.mode == "off":
            raise ValueError("a reader needs a mode other than off")
        super().__init__(memory_limit_bytes, function, readable=())
        self.settings, self.attempts, self.function = settings, attempts, function
        self._counted_child = self._images = 0

    def read(self, pixels: np.ndarray) -> Reading:
        """What is written on an image of uint8 RGB pixels (height, width, 3), neither side 0.

        Raises:
            MachineFault: when the machine, not the image, is at fault.
            ValueError: for an array of another kind.
        """
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise ValueError(f"expected uint8 (height, width, 3), got {pixels.dtype} {pixels.shape}")
        height, width = pixels.shape[:2]
        try:
            with memory_file(pixels) as descriptor:
                what = f"the text of an image of {width} x {height} pixels"
                lines = persistently(self.attempts, lambda: self._lines(descriptor, width, height), what)
        except DecodeFailure as failure:
            self.close()  # whatever state it is in, the next image starts afresh
            return Reading((), failure.reason, failure.detail)
        self._count()
        return Reading(tuple(line for line in lines if line.score >= self.settings.minimum_score))

    def _lines(self, descriptor: int, width: int, height: int) -> tuple[TextLine, ...]:
        arguments = {"width": width, "height": height, "mode": self.settings.mode}
        return text_lines(self.call(self.function, self.settings.seconds, descriptor=descriptor, **arguments))

    def _count(self) -> None:
        """Replace a child that has read its share of images, or has grown too large."""
        self._images = self._images + 1 if self.number == self._counted_child else 1
        self._counted_child = self.number
        if self._images >= self.settings.images_per_child or self.resident_bytes > self.settings.resident_mb * 2**20:
            self.close()

    @property
    def resident_bytes(self) -> int:
        """Memory that the child holds; 0 while there is none."""
        try:
            return 0 if self.process_id is None else int(psutil.Process(self.process_id).memory_info().rss)
        except psutil.Error:  # gone: the next call starts another
            return 0


def text_lines(returned: Returned) -> tuple[TextLine, ...]:
    """The lines that the child gave back.

    Raises:
        ChildLost: when they are none; nothing obliges it to make sense.
    """
    try:
        lines = LINES.validate_python(returned.fields["lines"])
    except (KeyError, ValidationError):
        raise ChildLost("crashed", "its process answered with no lines of text") from None
    if len(lines) > MOST_LINES or not all(_is_sensible(line) for line in lines):
        raise ChildLost("crashed", "its process answered with lines outside the image, or with too many")
    return lines


def _is_sensible(line: TextLine) -> bool:
    edges = 0 <= line.left <= line.right <= 1 and 0 <= line.top <= line.bottom <= 1
    return edges and 0 <= line.score <= 1


@contextmanager
def memory_file(pixels: np.ndarray) -> Iterator[int]:
    """The descriptor of an open file without a name that holds an array's bytes; in memory where there is Linux.

    Raises:
        MachineFault: when there is no room for it.
    """
    try:
        with _nameless_file() as file:
            file.write(np.ascontiguousarray(pixels).data)
            file.flush()
            yield file.fileno()
    except OSError as error:
        raise MachineFault(f"no room for the pixels of an image: {error}") from None


def _nameless_file() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("pixels"), "wb")
    return tempfile.TemporaryFile()
