"""Decoded images as readers of text take them: their own shape, and no larger than letters need."""

import numpy as np
from PIL import Image

# Letters of a chart that is 2000 pixels wide are 12 pixels high or more; scans of 10,000 pixels only cost time.
LONGEST_SIDE = 2000


def page_pixels(image: Image.Image) -> np.ndarray:
    """uint8 RGB `(height, width, 3)`, at most LONGEST_SIDE in either direction."""
    page = image.convert("RGB")
    if max(page.size) > LONGEST_SIDE:
        page.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(page)
