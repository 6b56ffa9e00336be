"""Hand-made image descriptors: colour histogram, edges, local binary patterns, oriented gradients.

They are what chart recognition used before learned features, and independent of any training: about 10 ms an image on
one core. All are shares or normalised sums, of which the square root is taken, so that a linear model compares them by
Hellinger's distance (Arandjelovic & Zisserman 2012) and a few dominant bins do not hide the others.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import sobel

from meteo_ray.batch import Batch

Floats = NDArray[np.float32]

# Bins of hue, saturation and value: charts are told by their few saturated colours, so hue is kept finest.
HSV_BINS = (12, 4, 4)

# Lines and columns of cells in which edges and gradients are summed: 4:3 like the images.
CELLS = (3, 4)

EDGE_BINS = 8
ORIENTATIONS = 9  # Dalal & Triggs 2005: nine bins over 180 degrees

# Binary patterns are taken at full, half and quarter size: of lines, of the shapes that they draw, of fields. On real
# sources trees fitted to 1,500 drawings gained 0.02 of the elements' mAP by the two smaller ones (docs/results.md).
PATTERN_SCALES = (1, 2, 4)

# Gradient magnitude of a step by 255 levels under Sobel's kernel, whose positive weights sum to 4.
LARGEST_GRADIENT = 4 * 255.0


def describe(image: NDArray[np.uint8]) -> Floats:
    """All descriptors of an RGB image `(height, width, 3)`, float32 `(FEATURES,)`."""
    picture = Image.fromarray(image).convert("L")
    grey = np.asarray(picture, dtype=np.float32)
    horizontal, vertical = sobel(grey, axis=1), sobel(grey, axis=0)
    magnitude = np.hypot(horizontal, vertical)
    angle = np.mod(np.arctan2(vertical, horizontal), np.pi)
    parts = [
        colour_histogram(image),
        edge_histogram(magnitude),
        oriented_gradients(magnitude, angle),
        *(binary_patterns(shrunk(picture, scale)) for scale in PATTERN_SCALES),
    ]
    return np.sqrt(np.concatenate(parts)).astype(np.float32)


@dataclass(frozen=True)
class PrepareDescriptors:
    """Picklable: adds `descriptors` float32 `(rows, FEATURES)` to what `pixels` prepares.

    Without `keep_image` the large `image` column is dropped: then only the descriptors travel.
    """

    pixels: Callable[[Batch], Batch]
    keep_image: bool = True

    def __call__(self, batch: Batch) -> Batch:
        prepared = dict(self.pixels(batch))
        prepared["descriptors"] = describe_all(prepared["image"])
        if not self.keep_image:
            del prepared["image"]
        return prepared


def describe_all(images: NDArray[np.uint8]) -> Floats:
    """`describe` of every image: `(rows, height, width, 3)` -> `(rows, FEATURES)`."""
    return np.array([describe(image) for image in images], dtype=np.float32).reshape(len(images), FEATURES)


def colour_histogram(image: NDArray[np.uint8]) -> Floats:
    """Shares of pixels in a joint HSV histogram, `(192,)`."""
    hsv = np.asarray(Image.fromarray(image).convert("HSV"), dtype=np.int64)
    bins = [hsv[..., channel] * count // 256 for channel, count in enumerate(HSV_BINS)]
    codes = np.ravel_multi_index(bins, HSV_BINS).ravel()
    return _shares(np.bincount(codes, minlength=int(np.prod(HSV_BINS))))


def edge_histogram(magnitude: Floats) -> Floats:
    """Shares of pixels by gradient magnitude, square-root spaced because most of a chart is flat, `(8,)`."""
    bins = np.minimum((np.sqrt(magnitude / LARGEST_GRADIENT) * EDGE_BINS).astype(int), EDGE_BINS - 1)
    return _shares(np.bincount(bins.ravel(), minlength=EDGE_BINS))


def oriented_gradients(magnitude: Floats, angle: Floats) -> Floats:
    """Gradient magnitude by orientation in each cell, L2-normalised per cell (HOG with one cell a block), `(108,)`."""
    lines, columns = CELLS
    height, width = magnitude.shape
    line = np.arange(height)[:, None] * lines // height
    column = np.arange(width)[None, :] * columns // width
    bins = np.minimum((angle / np.pi * ORIENTATIONS).astype(int), ORIENTATIONS - 1)
    codes = (line * columns + column) * ORIENTATIONS + bins
    sums = np.bincount(codes.ravel(), weights=magnitude.ravel(), minlength=lines * columns * ORIENTATIONS)
    cells = sums.reshape(-1, ORIENTATIONS)
    return np.asarray(cells / np.maximum(np.linalg.norm(cells, axis=1, keepdims=True), 1e-6), np.float32).ravel()


def shrunk(picture: Image.Image, scale: int) -> Floats:
    """The grey levels of a picture at 1/scale of its size, means of its pixels; a pattern's 3 x 3 pixels at least."""
    size = (max(picture.width // scale, 3), max(picture.height // scale, 3))
    return np.asarray(picture.resize(size, Image.Resampling.BOX), dtype=np.float32)


def binary_patterns(grey: Floats) -> Floats:
    """Shares of uniform local binary patterns of the eight neighbours, `(59,)` (Ojala et al. 2002)."""
    centre = grey[1:-1, 1:-1]
    codes = np.zeros(centre.shape, dtype=np.int64)
    offsets = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]  # once around the centre
    for bit, (down, right) in enumerate(offsets):
        neighbour = grey[1 + down : grey.shape[0] - 1 + down, 1 + right : grey.shape[1] - 1 + right]
        codes |= (neighbour >= centre).astype(np.int64) << bit
    return _shares(np.bincount(_PATTERN_OF_CODE[codes].ravel(), minlength=PATTERNS))


def _pattern_of_code() -> tuple[NDArray[np.int64], int]:
    """Codes with at most two changes around the circle get a number each, all others share the last one."""
    codes = np.arange(256)
    rotated = (codes >> 1) | ((codes & 1) << 7)
    changes = np.array([bin(code).count("1") for code in codes ^ rotated])
    uniform = np.flatnonzero(changes <= 2)
    table = np.full(256, len(uniform), dtype=np.int64)
    table[uniform] = np.arange(len(uniform))
    return table, len(uniform) + 1


def _shares(counts: NDArray[np.int64]) -> Floats:
    return np.asarray(counts / max(counts.sum(), 1), dtype=np.float32)


_PATTERN_OF_CODE, PATTERNS = _pattern_of_code()

FEATURES = int(np.prod(HSV_BINS)) + EDGE_BINS + CELLS[0] * CELLS[1] * ORIENTATIONS + len(PATTERN_SCALES) * PATTERNS
