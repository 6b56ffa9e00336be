"""Stands for text.engine, without models: what a painted page says, by the colour of its first pixel."""

import os
from typing import Any

TITLE, CAPTION = "850hPa Temperature analysis", "Valid: 2024-07-15 08:00 UTC"


def read_lines(descriptor: int, width: int, height: int, mode: str) -> dict[str, Any]:
    """Blue pages show temperature, red ones say nothing, of dark ones the process dies."""
    red, _, blue = os.pread(descriptor, 3, 0)
    if max(red, blue) < 160:
        os._exit(3)
    return {"lines": [_line(TITLE, 0.03), _line(CAPTION, 0.95)] if blue > red else []}


def _line(text: str, top: float) -> dict[str, Any]:
    return {"text": text, "left": 0.1, "top": top, "right": 0.8, "bottom": top + 0.03, "score": 0.9}
