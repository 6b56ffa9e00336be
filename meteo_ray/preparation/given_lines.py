"""What a row of labels.jsonl says is written on its image, where that is known without reading it (R1).

Drawn data sets know it exactly. The index does not carry it: it is thousands of characters an image, of use to few.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from meteo_ray.text.lines import TextLine
from meteo_ray.text.modes import Mode, Zone

KEY = "text_lines"
EDGES = ("left", "top", "right", "bottom")


def given_lines(row: dict[str, Any]) -> tuple[TextLine, ...] | None:
    """The lines of one row of labels.jsonl as an OCR engine would give them, sure of each; () where nothing is written.

    None when the row does not say.

    Raises:
        ValueError: saying in one line what is wrong with `row["text_lines"]`.
    """
    lines = row.get(KEY)
    if lines is None:
        return None
    if not isinstance(lines, list):
        raise ValueError(f"expected a list of lines, null or no such key (not known), found {shown(lines)}")
    return tuple(_line(number, line) for number, line in enumerate(lines, start=1))


def as_read(lines: Sequence[TextLine], mode: Mode, width: int, height: int) -> tuple[TextLine, ...]:
    """Those of an image's lines that reading it in a mode would have found, in their order.

    A model that learns from them shall meet in an archive what it has learnt from. The image has `width` x `height`
    pixels; see `text.modes.Mode` for the rest.
    """

    def sides(line: TextLine) -> tuple[float, float]:
        across, down = line.width * width, line.height * height
        return max(across, down), min(across, down)

    def is_looked_at(line: TextLine) -> bool:
        longer, shorter = sides(line)
        return longer >= mode.least_ratio * shorter and any(_holds(zone, line) for zone in mode.zones)

    seen = [position for position, line in enumerate(lines) if is_looked_at(line)]
    largest = sorted(seen, key=lambda position: -np.prod(sides(lines[position])))[: mode.most_lines]
    return tuple(lines[position] for position in sorted(largest))


def _holds(zone: Zone, line: TextLine) -> bool:
    across = zone.left <= line.left and line.right <= zone.right
    return across and zone.top <= line.top and line.bottom <= zone.bottom


def _line(number: int, line: Any) -> TextLine:
    if not isinstance(line, dict) or not isinstance(line.get("text"), str):
        raise ValueError(f"line {number}: expected an object with a text and its edges, found {shown(line)}")
    for name in EDGES:
        edge = line.get(name)
        if isinstance(edge, bool) or not isinstance(edge, int | float) or not 0 <= edge <= 1:
            raise ValueError(f"line {number}: {name} must be a share of the image from 0 to 1, found {shown(edge)}")
    left, top, right, bottom = (float(line[name]) for name in EDGES)
    if left > right or top > bottom:
        raise ValueError(f"line {number}: left stands right of right, or top below bottom, in {shown(line)}")
    return TextLine(line["text"], left, top, right, bottom, score=1.0)


def shown(value: Any) -> str:
    """A value in a message, cut short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
