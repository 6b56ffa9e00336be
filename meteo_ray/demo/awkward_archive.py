"""An archive folder as it comes from the field: fresh images under awkward names, and files that are broken."""

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np
from PIL import Image

FOLDERS = (
    "2024年06月/高空图",
    "old scans (2019)",
    "export/a b c",
    "雷达 回波",
    "mail/Ünïcode ✓",
    "deep/er/and/deeper",
    "",
)
NAMES = ("图 {n}", "chart_{n:05d}", "scan {n} (copy)", "IMG-{n}", "500hPa高度场_{n}", "it's {n}", "a#b%20c&{n}")


def place(rng: np.random.Generator, number: int, extension: str) -> PurePosixPath:
    """Where the archive keeps its `number`-th image."""
    folder = FOLDERS[int(rng.integers(len(FOLDERS)))]
    name = NAMES[int(rng.integers(len(NAMES)))].format(n=number)
    return PurePosixPath(folder) / (name + (extension.upper() if rng.random() < 0.1 else extension))


def broken_files(sample: bytes, rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of files that no decoder should be trusted with, made from a good PNG or JPEG `sample`.

    The GIF under a PNG's name is the odd one out: it is fine once looked at.
    """
    picture = Image.open(io.BytesIO(sample)).convert("RGB")
    png, jpeg, gif, tiny = (_encoded(picture, kind) for kind in ("PNG", "JPEG", "GIF", "PNG"))
    tiny = _encoded(Image.new("RGB", (1, 1), "white"), "PNG")
    yield "broken/empty.png", b""
    yield "broken/truncated 截断.png", png[: len(png) // 2]
    yield "broken/truncated.jpg", jpeg[: len(jpeg) // 3]
    yield "broken/text renamed.png", "这不是图片。This is no image.\n".encode() * 40
    yield "broken/bomb.png", _huge_png(60_000, 60_000)
    yield "broken/one_pixel.png", tiny
    yield "broken/really a gif.png", gif
    yield (
        "broken/postscript.eps",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n0 0 moveto 100 100 lineto stroke\nshowpage\n%%EOF\n",
    )
    yield "broken/noise.jpg", rng.bytes(4096)
    yield "broken/bad checksum.png", _flipped(png)
    yield "broken/notes.txt", "读我 read me\n".encode()


def _encoded(picture: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind)
    return stream.getvalue()


def _flipped(png: bytes) -> bytes:
    """One bit of the pixel data turned over, so that a checksum does not agree."""
    damaged = bytearray(png)
    damaged[len(png) // 2] ^= 0x10
    return bytes(damaged)


def _huge_png(width: int, height: int) -> bytes:
    """A file of a few hundred bytes that claims `width` x `height` pixels (60 000 squared is 10 GiB as RGB)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(100_000)))
        + chunk(b"IEND", b"")
    )
