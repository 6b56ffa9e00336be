"""The one way from a file's bytes to an RGB image. Every input gives a `Decoded` or a `DecodeFailure`, nothing else.

Files come from anywhere, so nothing they claim is believed: the format is told by content, never by name; sizes are
checked before pixels are allocated; Pillow's own guards stay on.
"""

import io
import os
import re
import stat
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from meteo_ray.imaging.colour import to_rgb
from meteo_ray.imaging.formats import ACCEPTED, foreign_format, looks_accepted

Status = Literal["rejected", "error"]  # schema.REJECTED and schema.ERROR; spelled here because schema loads pyarrow
Reason = Literal[
    "empty",  # no bytes
    "unidentified",  # not an image of any kind we know
    "truncated",  # an image, but cut short or damaged
    "format",  # a known kind of file that is not taken
    "too_large",  # too many pixels or bytes
    "too_small",  # a side below the minimum
    "aspect",  # a strip
    "metadata",  # metadata that unpacks beyond all bounds
    "timeout",  # decoding did not end
    "crashed",  # decoding killed its process, or ran out of memory
    "io",  # the file could not be read
    "changed",  # the file vanished or changed since it was listed
    "path",  # it lies outside the archive
    "special",  # a link, pipe, socket or device
]

# Otherwise Pillow would fill the missing part of a cut file with grey, and half a chart would be judged.
ImageFile.LOAD_TRUNCATED_IMAGES = False

# Storage under load (NFS) answers again within about a second; 0.1 + 0.4 s is waited at most.
READ_ATTEMPTS = 3
FIRST_RETRY_WAIT_S = 0.1
RETRY_WAIT_GROWTH = 4.0


class DecodeFailure(Exception):
    """An input that could not be judged: a row of the output, not a reason to stop."""

    def __init__(self, status: Status, reason: Reason, detail: str) -> None:
        super().__init__(status, reason, detail)
        self.status, self.reason, self.detail = status, reason, detail

    def __str__(self) -> str:
        return f"{self.status}/{self.reason}: {self.detail}"


@dataclass(frozen=True)
class DecodeLimits:
    """What is turned away before any pixel is decoded."""

    max_bytes: int = 256 * 2**20
    """Largest file in bytes: an uncompressed 64-megapixel RGBA image, `64e6 * 4` bytes, is just taken."""
    max_pixels: int = 64_000_000
    """An A0 sheet at 200 dpi has 6622 x 9362 = 62 megapixels. Pillow spends 4 bytes on a pixel; an RGBA source, its
    RGB copy and the mask are alive together: 64e6 * 9 = 576 MB, below the guard's memory limit."""
    min_side: int = 16
    """Pixels; nothing on a chart can be read below."""
    max_aspect: float = 20.0
    """Longer side over shorter side; the longest real banner seen is 7.2, and 20:1 fits 320 pixels as 320 x 16."""


DEFAULT_LIMITS = DecodeLimits()


@dataclass(frozen=True)
class Decoded:
    """Frame 0 as RGB and upright; `width` and `height` are the stored image's, before any reduction or turn."""

    image: Image.Image
    format: str
    width: int
    height: int
    n_frames: int


@dataclass(frozen=True)
class Listed:
    """What a listing saw of a file, and the real path of the folder that must hold it ("": any)."""

    size: int
    modified_ns: int
    inside: str = ""


def modification_time(status: os.stat_result) -> int:
    """Nanoseconds since 1970, within what a 64-bit column holds: a file may claim any year."""
    return max(-(2**63), min(2**63 - 1, status.st_mtime_ns))


def read_bytes(path: Path | str, limits: DecodeLimits = DEFAULT_LIMITS, listed: Listed | None = None) -> bytes:
    """The bytes of a regular file; with `listed`, only while it is what the listing saw.

    Raises:
        DecodeFailure: `changed` when the file is gone, was written to since it was listed or grows while being read;
            `path` when a link now leads out of the folder; `io` when it cannot be read after `READ_ATTEMPTS`
            attempts; `too_large` above `limits.max_bytes`.
    """
    wait_s = FIRST_RETRY_WAIT_S
    for attempt in range(1, READ_ATTEMPTS + 1):
        try:
            return _read_once(path, limits, listed)
        except FileNotFoundError as error:
            raise DecodeFailure("error", "changed", f"{path}: no longer there") from error
        except (PermissionError, IsADirectoryError) as error:  # these do not heal by waiting
            raise DecodeFailure("error", "io", f"{path}: {error.strerror}") from error
        except OSError as error:
            if attempt == READ_ATTEMPTS:
                raise DecodeFailure("error", "io", f"{path}: {error.strerror} ({attempt} attempts)") from error
            time.sleep(wait_s)
            wait_s *= RETRY_WAIT_GROWTH
    raise AssertionError("unreachable")


def decode(data: bytes, limits: DecodeLimits = DEFAULT_LIMITS, smallest_size: tuple[int, int] | None = None) -> Decoded:
    """Decode an image file held in memory.

    Animated and multi-page files give frame 0; transparency is laid over white; 16-bit and floating-point grey is
    rescaled; the EXIF orientation is applied. With `smallest_size` (width, height) a JPEG may come back reduced by
    2, 4 or 8, yet never smaller than that in either side: its decoder then skips most of the work.

    Raises:
        DecodeFailure: for anything that cannot be decoded within `limits`.
    """
    if not data:
        raise DecodeFailure("error", "empty", "the file has no bytes")
    if len(data) > limits.max_bytes:
        raise DecodeFailure("rejected", "too_large", f"{len(data)} bytes, at most {limits.max_bytes} are taken")
    try:
        with _quiet():
            return _decode(data, limits, smallest_size)
    except DecodeFailure:
        raise
    except MemoryError as error:
        raise DecodeFailure("error", "crashed", "out of memory while decoding") from error
    except Exception as error:  # decoders raise nearly anything on damaged bytes; every one of them is a bad file
        raise _failure(error, data) from error


def _read_once(path: Path | str, limits: DecodeLimits, listed: Listed | None) -> bytes:
    # Without O_NONBLOCK, opening a named pipe would wait for a writer forever.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise DecodeFailure("error", "io", f"{path}: not a regular file")
        if listed is not None:
            _require_as_listed(path, descriptor, status, listed)
        if status.st_size > limits.max_bytes:
            detail = f"{path}: {status.st_size} bytes, at most {limits.max_bytes} are taken"
            raise DecodeFailure("rejected", "too_large", detail)
        data = file.read(limits.max_bytes + 1)
        after = os.fstat(descriptor)
    if len(data) != status.st_size or after.st_mtime_ns != status.st_mtime_ns:
        raise DecodeFailure("error", "changed", f"{path}: it changed while it was read")
    return data


def _require_as_listed(path: Path | str, descriptor: int, status: os.stat_result, listed: Listed) -> None:
    """What has been opened is asked, not the path, which somebody may turn into a link at any moment."""
    real = os.readlink(f"/proc/self/fd/{descriptor}")
    if listed.inside and os.path.commonpath([listed.inside, real]) != listed.inside:
        raise DecodeFailure("rejected", "path", f"{path}: leads out of the archive, to {real}")
    if (status.st_size, modification_time(status)) != (listed.size, listed.modified_ns):
        raise DecodeFailure("error", "changed", f"{path}: it was written to after it was listed")


@contextmanager
def _quiet() -> Iterator[None]:
    """Decoders warn about odd metadata, which is no news here; the decompression-bomb warning becomes an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _decode(data: bytes, limits: DecodeLimits, smallest_size: tuple[int, int] | None) -> Decoded:
    with Image.open(io.BytesIO(data), formats=ACCEPTED) as image:
        width, height = image.size
        _check_size(width, height, limits)
        n_frames = getattr(image, "n_frames", 1)
        image.seek(0)
        if smallest_size is not None and image.format in ("JPEG", "MPO"):
            image.draft(image.mode, smallest_size)
        image.load()
        _turn_upright(image)
        return Decoded(to_rgb(image), str(image.format), width, height, n_frames)


def _check_size(width: int, height: int, limits: DecodeLimits) -> None:
    size = f"{width} x {height} pixels"
    if width * height > limits.max_pixels:
        raise DecodeFailure("rejected", "too_large", f"{size}, at most {limits.max_pixels} are taken")
    if min(width, height) < limits.min_side:
        raise DecodeFailure("rejected", "too_small", f"{size}, sides of at least {limits.min_side} are taken")
    if max(width, height) > limits.max_aspect * min(width, height):
        raise DecodeFailure("rejected", "aspect", f"{size}, at most {limits.max_aspect:g}:1 is taken")


def _turn_upright(image: Image.Image) -> None:
    """Apply the EXIF orientation, where there is one that can be read; damaged EXIF is no reason to lose a chart."""
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # the EXIF parser raises nearly anything on damaged bytes
        return


def _failure(error: Exception, data: bytes) -> DecodeFailure:
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        pixels = re.search(r"\d+", str(error))  # Pillow's own limit is another one than that of this project
        found = f"{pixels.group()} pixels" if pixels else "too many pixels"
        return DecodeFailure("rejected", "too_large", f"{found}, at most {DEFAULT_LIMITS.max_pixels} are taken")
    if "MAX_TEXT" in str(error):  # Pillow names the limit that compressed PNG metadata ran into
        return DecodeFailure("error", "metadata", str(error))
    if isinstance(error, UnidentifiedImageError) and not looks_accepted(data):
        name = foreign_format(data)
        if name:
            return DecodeFailure("rejected", "format", f"{name} files are not taken")
        return DecodeFailure("error", "unidentified", "not an image file")
    return DecodeFailure("error", "truncated", f"damaged, cut short or of an unsupported kind: {error}")
