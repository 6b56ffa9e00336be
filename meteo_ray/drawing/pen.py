"""A pen for Pillow's images that remembers what it writes."""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from meteo_ray.drawing.lettering import (
    CUT,
    Picture,
    Trace,
    Words,
    letters_within,
    pixel_box,
    still_seen,
    trace,
    trace_of_known,
)


class Pen(ImageDraw.ImageDraw):
    """Draws on `image`, on which `words` stand already; `picture()` tells what can be read on it in the end."""

    def __init__(self, image: Image.Image, words: tuple[Words, ...] = ()) -> None:
        super().__init__(image)
        self.paper = image
        self._traces: list[Trace] = []
        self._know(words)

    def text(self, xy: Any, text: Any, fill: Any = None, font: Any = None, anchor: Any = None, *args: Any,
             **kwargs: Any) -> None:  # fmt: skip
        """As Pillow's, one line at a time, in a face of `meteo_ray.drawing.text.font`."""
        image = self.paper
        left, top, right, bottom = self.textbbox(xy, text, font, anchor, stroke_width=kwargs.get("stroke_width", 0))
        box = pixel_box((left - 1, top - 1, right + 1, bottom + 1), (0, 0, *image.size))
        if box[0] == box[2] or box[3] - box[1] < CUT * (bottom - top):
            super().text(xy, text, fill, font, anchor, *args, **kwargs)
            return
        before = np.asarray(image.crop(box))
        super().text(xy, text, fill, font, anchor, *args, **kwargs)
        if left < 0 or right > image.width:
            text = letters_within(text, left, (0, image.width), font.getlength)
        found = trace(text, font.size, box, before, np.asarray(image.crop(box)))
        self._traces += [found] if found else []

    def paste(self, picture: Picture, x: int, y: int, mask: Image.Image | None = None) -> None:
        """Put a picture at (x, y), its words with it; what it covers is hidden."""
        self.paper.paste(picture.image, (x, y), mask)
        self._know(tuple(words.moved(x, y) for words in picture.words))

    def picture(self) -> Picture:
        """What has been drawn, with the words that can still be seen."""
        image = self.paper
        return Picture(image, still_seen(self._traces, np.asarray(image)) if self._traces else ())

    def _know(self, words: tuple[Words, ...]) -> None:
        if words:
            pixels = np.asarray(self.paper)
            self._traces += [found for entry in words if (found := trace_of_known(entry, pixels))]


def new_pen(size: tuple[int, int], colour: Any, mode: str = "RGB") -> Pen:
    """A pen on a new image of one colour."""
    return Pen(Image.new(mode, size, colour))
