"""What a row of labels.jsonl says is written on its image, where that is known without reading it (R1).

Drawn data sets know it exactly. The index does not carry it: it is thousands of characters an image, of use to few.
"""

from typing import Any

from meteo_ray.text.lines import TextLine

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
