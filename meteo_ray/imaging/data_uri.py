"""Images inside a page."""

import io

from PIL import Image

from meteo_ray.data_uri import picture_uri


def jpeg_data_uri(image: Image.Image, quality: int) -> str:
    """The image as a `data:` URI of a JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return picture_uri(buffer.getvalue())
