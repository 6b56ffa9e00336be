"""What sorted images and their folders are called: safe on any file system, no two alike, the same every time."""

import os
from array import array
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from meteo_ray.archive.results.writer import read_parts
from meteo_ray.files import image_id, visible
from meteo_ray.schema import OK

NO_PRODUCT, NOT_A_CHART = "no_product", "not_a_chart"

# File systems end at 255 bytes, some encrypted or shared ones well before it.
NAME_BYTES = 200
SUFFIX_BYTES = 16  # what is longer is no suffix, but a name with a dot in it
ID_DIGITS = 8

LEFT_OUT = ""  # the home of rows that are not ok


def file_name(path: str, number: str, shared: frozenset[str] = frozenset()) -> str:
    """`<stem>_<first digits of the image's id><suffix>`: safe anywhere, at most NAME_BYTES long.

    Args:
        path: the image's place in the archive; its last part gives stem and suffix.
        number: its id.
        shared: beginnings of ids that more than one image has: those take the whole id.
    """
    beginning = number[:ID_DIGITS]
    stem, suffix = os.path.splitext(_shown(path.rsplit("/", 1)[-1]))
    suffix = suffix.rstrip(". ")
    if len(suffix.encode()) > SUFFIX_BYTES:
        stem, suffix = stem + suffix, ""
    tail = f"_{number if beginning in shared else beginning}{suffix}"
    return (_safe(stem, NAME_BYTES - len(tail.encode())) or "image") + tail


@lru_cache(maxsize=1024)
def folder_name(product: str) -> str:
    """The product's id where it can name a folder; else what is left of it and a number, so that no two are one."""
    number = f"_{image_id(product)[:ID_DIGITS]}"
    safe = _safe(product, NAME_BYTES - len(number))
    as_it_is = safe == product and safe not in ("", NO_PRODUCT, NOT_A_CHART)
    return safe if as_it_is else (safe or "product") + number


def _safe(text: str, limit: int) -> str:
    """At most `limit` bytes, cut at a character; no leading dot or dash, nothing at the end that Windows drops."""
    name = _shown(text).replace("/", "_").lstrip(".- ")
    return name.encode()[:limit].decode(errors="ignore").rstrip(". ")


def _shown(text: str) -> str:
    return text if text.isprintable() else visible(text)  # visible() is slow, and hardly a name needs it


def home_of(row: dict[str, Any]) -> str:
    if row["status"] != OK:
        return LEFT_OUT
    if not row["is_meteo"]:
        return NOT_A_CHART
    return NO_PRODUCT if row["product"] is None else folder_name(row["product"])


def shared_beginnings(predictions: Path) -> frozenset[str]:
    """Beginnings that several ids have: 32 bits are too few to tell millions of images apart."""
    beginnings = array("I")
    for table, _ in read_parts(predictions, ["image_id"]):
        beginnings.extend(int(number[:ID_DIGITS], 16) for number in table["image_id"].to_pylist())
    ordered = np.sort(np.array(beginnings, dtype=np.uint32))
    shared = ordered[1:][ordered[1:] == ordered[:-1]]
    return frozenset(f"{number:0{ID_DIGITS}x}" for number in shared.tolist())


class Homes:
    """The folder in which each image belongs. It takes 12 bytes an image: millions of names would fill the memory."""

    def __init__(self) -> None:
        self._numbers, self._folders = array("Q"), array("i")
        self._names: dict[str, int] = {}

    def add(self, name: str, home: str) -> None:
        self._numbers.append(_number(name))
        self._folders.append(self._names.setdefault(home, len(self._names)))

    def finder(self) -> Callable[[str], str | None]:
        """What tells the folder in which a name belongs; None where no image has the name."""
        names = list(self._names)
        numbers, folders = np.array(self._numbers, dtype=np.uint64), np.array(self._folders, dtype=np.int32)
        order = np.argsort(numbers)
        numbers, folders = numbers[order], folders[order]

        def find(name: str) -> str | None:
            number = np.uint64(_number(name))
            position = np.searchsorted(numbers, number)
            known = position < len(numbers) and numbers[position] == number
            return names[folders[position]] if known else None

        return find


def _number(name: str) -> int:
    return int(image_id(os.fsencode(name)), 16)
