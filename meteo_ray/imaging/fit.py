"""Any image -> the network's input: margins off, the map whole, the aspect ratio kept (R6).

Charts are exported with wide empty margins, above all the very large ones. Scaling the whole sheet would spend the
few pixels of the input on paper; cutting to 4:3 would lose a part of the map. So the uniform margin goes, the rest
is scaled as one, and what 4:3 still lacks is filled with the sheet's own background colour.
"""

import numpy as np
from PIL import Image

INPUT_SIZE = (320, 240)
"""Width x height in pixels (R6); arrays are `(240, 320, 3)`."""

# Margins are looked for on a copy with at most this many pixels a side: averaging k x k pixels quietens JPEG noise by
# about k and keeps the search below a millisecond, while a 1-pixel black line on white (255 levels) of a 4800-pixel
# sheet (k = 8) still stands out by 255 / 8 = 32 levels.
_SEARCH_SIDE = 600

# Levels (of 255) that a channel may stray from the background. JPEG at quality 50 rings by up to about 10 levels in
# the 8-pixel blocks along an edge; the palest tints that charts use as fill differ from white by 16 and more.
_TOLERANCE = 12

# Share of a row or column that may stray more and still count as margin: dust on a scan, not a line or a letter.
_DUST_SHARE = 0.004

# At least this share of each side is kept, so that a speck on an empty page stays a speck.
_KEPT_SHARE = 0.25

# Air left around the content, as a share of the kept side.
_AIR_SHARE = 0.01

# Pillow first shrinks by whole steps down to 2x the target, then filters: hardly told from the direct way, at a
# fraction of the time for sheets of several megapixels.
_REDUCING_GAP = 2.0


def fit(image: Image.Image, size: tuple[int, int] = INPUT_SIZE) -> np.ndarray:
    """The image as uint8 RGB `(height, width, 3)` of exactly `size` (width, height).

    Uniform margins are trimmed; the rest is resized with antialiasing, keeping its aspect ratio, and centred on the
    background colour.
    """
    image = image if image.mode == "RGB" else image.convert("RGB")
    box, background = content_box(image)
    inner = _inner_size(box, size)
    page = Image.new("RGB", size, background)
    page.paste(resize(image, inner, box), ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
    return np.array(page)


def resize(image: Image.Image, size: tuple[int, int], box: tuple[int, int, int, int] | None = None) -> Image.Image:
    """The image, or its `box`, at `size` (width, height), antialiased.

    Shrinking uses the Hamming filter: nearly as sharp as bicubic, no halos around thin lines, 1.7 times as fast.
    """
    width, height = (box[2] - box[0], box[3] - box[1]) if box else image.size
    shrinks = size[0] < width or size[1] < height
    kind = Image.Resampling.HAMMING if shrinks else Image.Resampling.BICUBIC
    return image.resize(size, kind, box=box, reducing_gap=_REDUCING_GAP)


def content_box(image: Image.Image) -> tuple[tuple[int, int, int, int], tuple[int, int, int]]:
    """Where the content stands, as (left, top, right, bottom), and the background colour around it.

    An image without a uniform margin, or with nothing on it, is content as a whole.
    """
    step = max(1, -(-max(image.size) // _SEARCH_SIDE))
    small = image.reduce(step) if step > 1 else image
    channels = [np.asarray(channel) for channel in small.split()]
    background = _border_colour(channels)
    strays = _strays(channels, background)
    rows, columns = strays.shape
    left, right = _span(np.count_nonzero(strays, axis=0) / rows, image.width, step)
    top, bottom = _span(np.count_nonzero(strays, axis=1) / columns, image.height, step)
    return (left, top, right, bottom), background


def _border_colour(channels: list[np.ndarray]) -> tuple[int, int, int]:
    """The commonest colour of the outermost rows and columns: the median of its 16-level bin."""
    edges = [(levels[0], levels[-1], levels[:, 0], levels[:, -1]) for levels in channels]
    border = np.stack([np.concatenate(sides) for sides in edges], axis=1)
    # Bins are shifted by half their width, so that white (255) and nearly white (240-254) fall into one.
    bins = (border.astype(np.int32) + 8) // 16
    codes = bins[:, 0] * 289 + bins[:, 1] * 17 + bins[:, 2]  # (255 + 8) // 16 = 16: 17 bins a channel
    commonest = np.bincount(codes).argmax()
    red, green, blue = np.median(border[codes == commonest], axis=0)
    return int(red), int(green), int(blue)


def _strays(channels: list[np.ndarray], background: tuple[int, int, int]) -> np.ndarray:
    """Which pixels are not background, bool `(height, width)`; of red, green and blue apart, uint8 `(height, width)`
    each, which numpy compares many times as fast as when they lie among one another."""
    strays = np.zeros(channels[0].shape, dtype=bool)
    for levels, level in zip(channels, background, strict=True):
        strays |= levels < max(0, level - _TOLERANCE)
        strays |= levels > min(255, level + _TOLERANCE)
    return strays


def _span(stray_shares: np.ndarray, length: int, step: int) -> tuple[int, int]:
    """First and last (exclusive) pixel of the content along one axis, in full-size pixels."""
    filled = np.flatnonzero(stray_shares > _DUST_SHARE)
    if filled.size == 0:
        return 0, length
    start, stop = int(filled[0]) * step, min((int(filled[-1]) + 1) * step, length)
    air = round((stop - start) * _AIR_SHARE) + 1
    missing = max(0.0, length * _KEPT_SHARE - (stop - start + 2 * air))
    grow = air + int(np.ceil(missing / 2))
    start, stop = start - grow, stop + grow
    shift = max(0, -start) - max(0, stop - length)
    return max(0, start + min(shift, 0)), min(length, stop + max(shift, 0))


def _inner_size(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int]:
    """The largest (width, height) with the box's aspect ratio inside `size`, at least one pixel each."""
    width, height = box[2] - box[0], box[3] - box[1]
    scale = min(size[0] / width, size[1] / height)
    return min(size[0], max(1, round(width * scale))), min(size[1], max(1, round(height * scale)))
