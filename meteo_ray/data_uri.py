"""Pictures inside a page: reports are one file each and fetch nothing."""

import base64

# By their first bytes.
KINDS = {b"\x89PNG": "png", b"GIF8": "gif", b"\xff\xd8\xff": "jpeg"}


def picture_uri(picture: bytes) -> str:
    """The bytes of a PNG, GIF or JPEG as a `data:` URI. Raises ValueError for anything else."""
    for start, kind in KINDS.items():
        if picture.startswith(start):
            return f"data:image/{kind};base64,{base64.b64encode(picture).decode('ascii')}"
    raise ValueError(f"no PNG, GIF or JPEG: begins with {picture[:4]!r}")
