"""How much of a chart is read: its title and caption, or the whole page."""

from dataclasses import dataclass
from typing import NamedTuple

# Rises when `engine` reads otherwise than before, so that no cached text is taken for what it would read now.
ENGINE_EDITION = 1


class Zone(NamedTuple):
    """A part of an image: its edges as shares of width and height, from the upper left corner."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Mode:
    """What is looked at, how closely, and how much of it is recognised.

    Attributes:
        zones: where lines are looked for. What an inner edge cuts is left out.
        short_side: pixels to which a smaller image is enlarged before lines are looked for, by its shorter side.
        detector_pixels: an image of more pixels is reduced to them before lines are looked for; time goes with them.
        most_lines: lines that are recognised, the largest first.
        least_ratio: of a line's length to its height, that it is recognised at all; 0 takes every line.
    """

    zones: tuple[Zone, ...]
    short_side: int
    detector_pixels: int
    most_lines: int
    least_ratio: float


# The zones are those in which titles and captions stood: of 91 real charts' largest upper line three quarters ended
# within the top 17 %, and most others were captions in the lowest tenth. Strips at full size found them, at a fifth of
# the page's time; the whole page at 0.12 million pixels took nearly as long as they, and lost a sixth of their
# titles. A title is at least twice as long as high, most of the numbers beside an axis are not.
MODES = {
    "title": Mode(
        zones=(Zone(0, 0, 1, 0.2), Zone(0, 0.88, 1, 1)),
        short_side=0,
        detector_pixels=600_000,
        most_lines=8,
        least_ratio=2.0,
    ),
    # RapidOCR enlarges the shorter side to 736 too, but knows no largest number of pixels.
    "page": Mode(zones=(Zone(0, 0, 1, 1),), short_side=736, detector_pixels=1_500_000, most_lines=300, least_ratio=0.0),
}
