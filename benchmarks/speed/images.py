"""What is judged: drawn charts and look-alikes at one size, as JPEG, PNG and palette PNG, in folders of any length.

A few dozen images are drawn and encoded once. Longer folders repeat them, each file with a comment of its own: its
bytes and its hash differ, the work of decoding it does not. Real files, where given, are repeated in the same way.
"""

import io
import os
import shutil
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from meteo_ray.drawing.compose import DATA, Order, draw
from meteo_ray.vocabulary import load_vocabulary

SIZE = (1280, 960)
SEED = 20
JPEG, PNG, PALETTE = "jpeg", "png", "palette"
FORMATS = (JPEG, PNG, PALETTE)
SUFFIX = {JPEG: ".jpg", PNG: ".png", PALETTE: ".png"}

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_START = b"\xff\xd8"


@dataclass(frozen=True)
class Base:
    """A drawn image, whether it is a chart, and which elements it shows, bool `(labels,)`."""

    picture: Image.Image
    is_meteo: bool
    elements: np.ndarray


def bases(count: int) -> list[Base]:
    """`count` drawings, every other one a chart; always the same."""
    vocabulary, found = load_vocabulary(), []
    for number in range(count):
        drawn = draw(Order(SEED, DATA, number % 2 == 0, number // 2))
        shown = vocabulary.multi_hot(drawn.row["labels"] or []).astype(bool)
        found.append(Base(Image.open(io.BytesIO(drawn.data)).convert("RGB"), number % 2 == 0, shown))
    return found


def encoded(picture: Image.Image, kind: str, size: tuple[int, int] = SIZE) -> bytes:
    """The picture at `size` (width, height): JPEG of quality 90 with 4:2:0, PNG, or PNG with 256 colours."""
    scaled = picture.resize(size, Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    if kind == JPEG:
        scaled.save(stream, "JPEG", quality=90, subsampling="4:2:0")
    else:
        scaled = scaled.quantize(256, Image.Quantize.FASTOCTREE) if kind == PALETTE else scaled
        scaled.save(stream, "PNG", compress_level=6)
    return stream.getvalue()


def commented(data: bytes, comment: str) -> bytes:
    """The same image with a comment in its file: other bytes, other hash, the same pixels.

    Raises:
        ValueError: for anything but JPEG and PNG.
    """
    text = comment.encode("ascii")
    if data.startswith(JPEG_START):
        return JPEG_START + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + data[2:]
    if data.startswith(PNG_SIGNATURE):
        chunk = b"tEXt" + b"Comment\x00" + text
        ihdr = len(PNG_SIGNATURE) + 25  # length, name, 13 bytes and checksum of the first chunk
        return (
            data[:ihdr] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[ihdr:]
        )
    raise ValueError("neither JPEG nor PNG")


def real_files(folder: Path, kind: str, least: int = 8) -> list[bytes]:
    """The real JPEG or PNG files below a folder that are at least 640 pixels wide."""
    found = []
    for path in sorted(folder.rglob(f"*{SUFFIX[kind]}")):
        data = path.read_bytes()
        if not data.startswith(JPEG_START if kind == JPEG else PNG_SIGNATURE):
            continue
        with Image.open(io.BytesIO(data)) as image:
            plain = image.mode in ("RGB", "P") and "transparency" not in image.info  # which Pillow alone makes black
            if image.width >= 640 and plain:
                found.append(data)
    return found if len(found) >= least else []


class Store:
    """Folders of any number of files, made where they are first asked for."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._sources: dict[str, list[bytes]] = {}

    def add(self, name: str, files: Sequence[bytes]) -> None:
        """Encoded images under a name; folders of that name repeat them."""
        self._sources[name] = list(files)
        shutil.rmtree(self.place / name, ignore_errors=True)

    def __contains__(self, name: str) -> bool:
        return name in self._sources

    def folder(self, name: str, count: int, duplicates: float = 0.0) -> Path:
        """A folder of `count` files, of which the share `duplicates` has the bytes of another one.

        Folders share their files' space on disk by hard links.
        """
        place = self.place / name / f"{count}_{duplicates:g}"
        if place.is_dir():
            return place
        scratch = place.with_name(place.name + ".new")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        different = max(1, round(count * (1 - duplicates)))
        for number in range(count):
            source = self._file(name, number % different)
            os.link(source, scratch / f"{number:06d}{source.suffix}")
        scratch.rename(place)
        return place

    def _file(self, name: str, number: int) -> Path:
        sources = self._sources[name]
        data = sources[number % len(sources)]
        path = self.place / name / "files" / f"{number:06d}{'.jpg' if data.startswith(JPEG_START) else '.png'}"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(commented(data, f"file {number}"))
        return path
