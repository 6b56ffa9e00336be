"""A line of text on a chart: what it says and where it stands."""

from collections.abc import Iterable
from dataclasses import dataclass

# Shares of a square image are compared directly; a chart is at most about twice as wide as high, so that a line that
# is this much higher than wide runs up the side of a chart, or is a column of Chinese.
ROTATED_RATIO = 1.5
# A single character or two may be narrow and high without being turned: "1", "II".
ROTATED_CHARACTERS = 3


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line that an OCR engine has read.

    Attributes:
        text: what it says, as read.
        left: its left edge as a share of the image's width, 0 at the left.
        top: its upper edge as a share of the image's height, 0 at the top.
        right: its right edge as `left`.
        bottom: its lower edge as `top`.
        score: how sure the engine is of its characters, 0 to 1.
    """

    text: str
    left: float
    top: float
    right: float
    bottom: float
    score: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    @property
    def is_rotated(self) -> bool:
        """Whether it runs upwards or downwards, as the name of a vertical axis does."""
        return len(self.text.strip()) >= ROTATED_CHARACTERS and self.height > ROTATED_RATIO * self.width


def in_reading_order(lines: Iterable[TextLine]) -> list[TextLine]:
    """The lines from top to bottom; those that stand beside one another from left to right."""
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda line: line.middle[1]):
        if rows and line.middle[1] < rows[-1][0].bottom:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: line.left)]
