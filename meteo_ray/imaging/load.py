"""A path -> the network's input, or the page's own pixels, as training, evaluation and the archive job all see it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from meteo_ray.imaging.decode import decode, read_bytes
from meteo_ray.imaging.fit import INPUT_SIZE, fit
from meteo_ray.imaging.page_pixels import page_pixels

# Names the behaviour of decode and fit in cache keys; raised by one whenever pixels may come out otherwise.
PREPROCESSING_VERSION = 1

# JPEGs are decoded at no less than twice the wanted size: `fit` may still trim half of each side without having to
# enlarge, and its own filter, not the decoder's, decides how the small image looks.
_DRAFT_FACTOR = 2


@dataclass(frozen=True)
class LoadedImage:
    """An image as it was asked for, with what the index and the predictions record about its file."""

    sha256: str
    width: int
    height: int
    format: str
    n_frames: int
    pixels: np.ndarray
    """uint8 RGB `(height, width, 3)` of the size asked for, or of the page's own shape."""
    descriptors: np.ndarray | None = None
    """float32 `(features,)` of the pixels, where somebody computes such beside the decoding."""


def load_image(path: Path | str, size: tuple[int, int] = INPUT_SIZE) -> LoadedImage:
    """Read, decode and fit one file to `size` (width, height).

    Raises:
        DecodeFailure: when the file cannot be read or decoded, or is outside the limits.
    """
    return load_bytes(read_bytes(path), size)


def least_decoded(size: tuple[int, int]) -> tuple[int, int]:
    """`decode`'s `smallest_size` for images that are to be fitted to `size` (width, height)."""
    return size[0] * _DRAFT_FACTOR, size[1] * _DRAFT_FACTOR


def load_bytes(data: bytes, size: tuple[int, int] | None = INPUT_SIZE, sha256: str | None = None) -> LoadedImage:
    """Decode and fit an image file held in memory, as `load_image`; with size None its `page_pixels`.

    `sha256` is that of the bytes, where it is known already.
    """
    # Letters are lost first: a page is decoded whole.
    decoded = decode(data, smallest_size=least_decoded(size) if size is not None else None)
    return LoadedImage(
        sha256=sha256 or hashlib.sha256(data).hexdigest(),
        width=decoded.width,
        height=decoded.height,
        format=decoded.format,
        n_frames=decoded.n_frames,
        pixels=page_pixels(decoded.image) if size is None else fit(decoded.image, size),
    )
