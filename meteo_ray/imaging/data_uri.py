"""Pictures inside a page: reports are one file each and fetch nothing."""

import base64
import io

from PIL import Image


def jpeg_data_uri(image: Image.Image, quality: int) -> str:
    """The image as a `data:` URI of a JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
