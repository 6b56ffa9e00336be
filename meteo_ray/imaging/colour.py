"""Every Pillow mode -> RGB, such that a chart looks the same however it was stored."""

import numpy as np
from PIL import Image

_DEEP_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_WITH_ALPHA = ("RGBA", "LA", "PA")
_SIXTEEN_TO_EIGHT = np.rint(np.arange(65536) / 257).astype(np.uint8)

_LEAST_SPAN = 1e-35  # 255 / 1e-35 is the largest factor that still is a float32


def to_rgb(image: Image.Image) -> Image.Image:
    """A loaded image of any mode as RGB: transparency over white, deep grey rescaled to 8 bits.

    Raises:
        ValueError: for a mode that Pillow cannot convert (LAB).
    """
    if image.mode in _DEEP_GREY:
        return Image.fromarray(_to_eight_bits(np.asarray(image))).convert("RGB")
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        return _over_white(image if image.mode == "RGBA" else image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    """Charts are saved with a transparent background and looked at on white pages; plain `convert` gives black."""
    alpha = image.getchannel("A")
    if alpha.getextrema() == (255, 255):  # most charts have an alpha channel and do not use it
        return image.convert("RGB")
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=alpha)
    return page


def _to_eight_bits(values: np.ndarray) -> np.ndarray:
    """Deep grey `(height, width)` -> uint8.

    16-bit integers are divided by 257 (65535 = 255 * 257), so that they equal their 8-bit twin. 32-bit integers and
    floats have no fixed white: values within 0-1 (floats), 0-255 or 0-65535 are taken as such, others are stretched
    from their least to their greatest finite value. NaN becomes black.
    """
    if values.dtype.itemsize == 2:
        return _SIXTEEN_TO_EIGHT[values]
    numbers = values.astype(np.float32)  # in place from here on: a large sheet takes 256 MB as it is
    finite = np.isfinite(numbers)
    low = float(np.min(numbers, where=finite, initial=np.inf)) if finite.any() else 0.0
    high = float(np.max(numbers, where=finite, initial=-np.inf)) if finite.any() else 0.0
    black, white = _range(values.dtype.kind == "f", low, high)
    np.nan_to_num(numbers, copy=False, nan=black, posinf=high, neginf=black)
    np.clip(numbers, black, white, out=numbers)
    half_span = white / 2 - black / 2  # halves, because the whole span of floats may exceed what float32 holds
    numbers /= 2
    numbers -= np.float32(black / 2)
    numbers *= np.float32(255.0 / max(half_span, _LEAST_SPAN))
    return np.rint(numbers, out=numbers).astype(np.uint8)


def _range(is_float: bool, low: float, high: float) -> tuple[float, float]:
    """The values of black and white for 32-bit grey between `low` and `high`."""
    if low < 0 or high > 65535:
        return low, high
    if is_float and high <= 1:
        return 0.0, 1.0
    return 0.0, 255.0 if high <= 255 else 65535.0
