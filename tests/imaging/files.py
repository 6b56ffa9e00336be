"""Image files as the tests need them, made on the spot: good ones in every format, and malformed ones byte by byte."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageDraw

from meteo_ray.imaging.fonts import hei_font


def chart(size: tuple[int, int] = (200, 150), margin: int = 20, paper: str = "white") -> Image.Image:
    """A map-like RGB picture: coloured bands in a black frame on `paper`."""
    image = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(image)
    width, height = size
    for band, colour in enumerate(("#2060c0", "#40b060", "#e0d040", "#d04030")):
        left = margin + band * (width - 2 * margin) // 4
        draw.rectangle((left, margin, width - margin - 1, height - margin - 1), fill=colour)
    draw.rectangle((margin, margin, width - margin - 1, height - margin - 1), outline="black", width=2)
    return image


def small_print(size: tuple[int, int] = (2600, 1950), letters: int = 24) -> Image.Image:
    """A framed RGB sheet whose middle third, both ways, is filled with black letters of so many pixels."""
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, size[0] - 1, size[1] - 1), outline="black", width=6)  # no margin that could be trimmed
    for top in range(size[1] // 3, 2 * size[1] // 3, letters * 2):
        draw.text((size[0] // 3, top), "850hPa风场 24.5 气压" * 3, fill="black", font=hei_font(letters))
    image.paste("white", (2 * size[0] // 3, 6, size[0] - 6, size[1] - 6))
    return image


def noisy(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """An RGB image that hardly compresses, so that a cut file has lost pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(image: Image.Image, codec: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, codec, **options)
    return buffer.getvalue()


def png(size: tuple[int, int], chunks: bytes = b"", rows: bytes = b"", depth: int = 8, colour_type: int = 2) -> bytes:
    """A PNG with any header, whose further chunks and (uncompressed) rows need not fit it."""
    header = struct.pack(">IIBBBBB", *size, depth, colour_type, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + chunks + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def with_orientation(image: Image.Image, orientation: int, codec: str = "JPEG", **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, codec, exif=exif, **options)


def difference(first: Image.Image | np.ndarray, second: Image.Image | np.ndarray) -> float:
    """Mean absolute difference in levels of 255."""
    return float(np.abs(np.asarray(first, dtype=np.float64) - np.asarray(second, dtype=np.float64)).mean())
