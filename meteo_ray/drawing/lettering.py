"""What is written on a picture, line by line, and where: known exactly, because it was written here.

A line counts while its ink can be seen. Letters beyond the picture's edge are cut off its text; a line without
contrast, or that something drawn later hides, is left out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, cos, floor, radians, sin
from typing import Any

import numpy as np
from PIL import Image

MOST_LINES = 60  # of a picture; maps of station values and sheets of cells have hundreds that no reader needs
CONTRAST = 24  # of 255 in some channel, below which no eye tells ink from ground
HIDDEN = 0.35  # share of a line's ink that may be drawn over, by a coastline say, before it cannot be read
CUT = 0.6  # share of a line's height, of a turned line's area, that must lie within picture and clip

Edges = tuple[float, float, float, float]  # left, top, right, bottom
Box = tuple[int, int, int, int]  # the same in whole pixels, of which the last two lie outside


@dataclass(frozen=True, slots=True)
class Words:
    """One line of writing; its edges are pixels from the picture's upper left corner, `size` its letters' height."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    size: float

    def moved(self, x: float, y: float) -> "Words":
        return replace(self, left=self.left + x, top=self.top + y, right=self.right + x, bottom=self.bottom + y)

    def scaled(self, across: float, down: float) -> "Words":
        return Words(
            self.text, self.left * across, self.top * down, self.right * across, self.bottom * down, self.size * down
        )

    def turned(self, degrees: float, around: tuple[float, float]) -> "Words":
        """As `Image.rotate(degrees)` turns them: counter-clockwise, in a box that stays upright."""
        c, s = cos(radians(degrees)), sin(radians(degrees))
        corners = [(x - around[0], y - around[1]) for x in (self.left, self.right) for y in (self.top, self.bottom)]
        xs = [around[0] + c * x + s * y for x, y in corners]
        ys = [around[1] - s * x + c * y for x, y in corners]
        return replace(self, left=min(xs), top=min(ys), right=max(xs), bottom=max(ys))


@dataclass(frozen=True)
class Picture:
    """An image and the words on it."""

    image: Image.Image
    words: tuple[Words, ...] = ()

    def resized(self, size: tuple[int, int], how: Image.Resampling = Image.Resampling.BICUBIC) -> "Picture":
        across, down = size[0] / self.image.width, size[1] / self.image.height
        return Picture(self.image.resize(size, how), tuple(words.scaled(across, down) for words in self.words))


@dataclass(frozen=True, slots=True)
class Trace:
    """Words just written: which pixels of `box` are their ink (`mask`), and the ink's `colours`, to be missed later."""

    words: Words
    box: Box
    mask: np.ndarray
    colours: np.ndarray

    def is_hidden(self, pixels: np.ndarray) -> bool:
        """Whether too much of the ink is gone from the finished picture `(height, width, channels)`."""
        left, top, right, bottom = self.box
        now = pixels[top:bottom, left:right][self.mask]
        return bool(_differs(now, self.colours).mean() > HIDDEN)


def trace(text: str, size: float, box: Box, before: np.ndarray, after: np.ndarray) -> Trace | None:
    """The words that made `after` of `before`, the pixels of `box`; None when nobody could see them."""
    mask = _differs(after, before)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not text.strip() or not rows.size:
        return None
    left, top = box[:2]
    words = Words(text.strip(), left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1, size)
    return Trace(words, box, mask, after[mask])


def trace_of_known(words: Words, pixels: np.ndarray) -> Trace | None:
    """Words that already stand on a picture `pixels`; all of their box counts as ink. None when they lie outside."""
    height, width, channels = pixels.shape
    box = pixel_box((words.left, words.top, words.right, words.bottom), (0, 0, width, height))
    left, top, right, bottom = box
    if left == right or top == bottom:
        return None
    mask = np.ones((bottom - top, right - left), bool)
    return Trace(words, box, mask, pixels[top:bottom, left:right].reshape(-1, channels))


def _differs(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    apart: np.ndarray = np.abs(one.astype(np.int16) - other).max(axis=-1) > CONTRAST
    return apart


def pixel_box(edges: Edges, reach: Box | None = None) -> Box:
    """The pixels within `reach` that the edges touch; no wider or higher than nothing where they lie outside."""
    left, top, right, bottom = floor(edges[0]), floor(edges[1]), ceil(edges[2]), ceil(edges[3])
    if reach is None:
        return left, top, right, bottom
    left, top = max(left, reach[0]), max(top, reach[1])
    return left, top, max(left, min(right, reach[2])), max(top, min(bottom, reach[3]))


def letters_within(text: str, start: float, reach: tuple[float, float], width_of: Callable[[str], float]) -> str:
    """The letters of a line that begins at `start` whose middle lies within `reach`, the rest being cut off."""
    edges = [start, *(start + width_of(text[: count + 1]) for count in range(len(text)))]
    middles = [(one + next_) / 2 for one, next_ in pairwise(edges)]
    return "".join(letter for letter, x in zip(text, middles, strict=True) if reach[0] <= x <= reach[1])


def still_seen(traces: Iterable[Trace], pixels: np.ndarray) -> tuple[Words, ...]:
    """The words that the finished picture shows."""
    return tuple(entry.words for entry in traces if not entry.is_hidden(pixels))


def text_lines(picture: Picture) -> list[dict[str, Any]]:
    """`text_lines` of a row of labels.jsonl: shares of width and height, top to bottom, then left to right.

    Of more than MOST_LINES those of the largest letters are kept, among equals the upper ones.
    """
    width, height = picture.image.size
    lines = [(words.size, _line(words, width, height)) for words in picture.words]
    lines = [(size, line) for size, line in lines if line["left"] < line["right"] and line["top"] < line["bottom"]]
    kept = sorted(lines, key=lambda entry: (-round(entry[0], 1), *_place(entry[1])))[:MOST_LINES]
    return sorted((line for _, line in kept), key=_place)


def _line(words: Words, width: int, height: int) -> dict[str, Any]:
    edges = {"left": words.left / width, "top": words.top / height,
             "right": words.right / width, "bottom": words.bottom / height}  # fmt: skip
    return {"text": words.text, **{name: round(min(max(float(edge), 0.0), 1.0), 4) for name, edge in edges.items()}}


def _place(line: dict[str, Any]) -> tuple[float, float, str]:
    return line["top"], line["left"], line["text"]
