"""Every Pillow mode -> RGB, such that a chart looks the same however it was stored."""

import numpy as np
from PIL import Image

_DEEP_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_WITH_ALPHA = ("RGBA", "LA", "PA")


def to_rgb(image: Image.Image) -> Image.Image:
    """A loaded image of any mode as RGB: transparency over white, deep grey rescaled to 8 bits.

    Raises:
        ValueError: for a mode that Pillow cannot convert (LAB).
    """
    if image.mode in _DEEP_GREY:
        return Image.fromarray(_to_eight_bits(np.asarray(image))).convert("RGB")
    if image.mode in _WITH_ALPHA or "transparency" in image.info:
        return _over_white(image.convert("RGBA"))
    return image if image.mode == "RGB" else image.convert("RGB")


def _over_white(image: Image.Image) -> Image.Image:
    """Charts are saved with a transparent background and looked at on white pages; plain `convert` gives black."""
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=image.getchannel("A"))
    return page


def _to_eight_bits(values: np.ndarray) -> np.ndarray:
    """Deep grey `(height, width)` -> uint8.

    16-bit integers are divided by 257 (65535 = 255 * 257), so that they equal their 8-bit twin. 32-bit integers and
    floats have no fixed white: values within 0-1 (floats), 0-255 or 0-65535 are taken as such, others are stretched
    from their least to their greatest finite value. NaN becomes black.
    """
    numbers = values.astype(np.float32)  # float64 would double the peak memory of a large sheet
    finite = numbers[np.isfinite(numbers)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    low, span = _range(values.dtype, low, high)
    scaled = (np.nan_to_num(numbers, nan=low, posinf=high, neginf=low) - low) * (255.0 / span)
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def _range(dtype: np.dtype, low: float, high: float) -> tuple[float, float]:
    """The value of black, and the distance from it to white."""
    if dtype.itemsize == 2:
        return 0.0, 65535.0
    if low >= 0 and high <= 65535:
        if dtype.kind == "f" and high <= 1:
            return 0.0, 1.0
        return 0.0, 255.0 if high <= 255 else 65535.0
    return low, max(high - low, np.finfo(np.float32).tiny)
