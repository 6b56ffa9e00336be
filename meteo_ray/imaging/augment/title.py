"""Chinese titles in a Hei typeface, above the image or in its emptiest band, as offices and editors add them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from meteo_ray.imaging.augment.transform import RandomTransform
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.imaging.fit import content_box
from meteo_ray.imaging.fonts import hei_font

# {name} is the product's; the first stands alone as in the plan, the others add what offices print beside it.
TEMPLATES = (
    "{name}",
    "{year}年{month}月{day}日{hour}时{name}",
    "{name}（{month}月{day}日{hour}时—{last_day}日{hour}时）",
    "{name} 起报时间：{year}-{month:02}-{day:02} {hour:02}:00 时效：{lead}小时",
    "{name}（未来{lead}小时）",
)
# Whose name a title carries: the chart's own product's, another one's, or any where the chart's is not known.
OWN, OTHER, ANY = "own", "other", "any"

_HOURS = (2, 5, 8, 11, 14, 17, 20, 23)  # the eight synoptic hours in Beijing time
_LEADS = (6, 12, 24, 48, 72, 120, 168)

# A title wider than this share of the image is drawn in smaller letters, but never below the least legible size.
_MOST_WIDTH = 0.94
_LEAST_SIZE = 7

# Air above and below the title, as a share of the letters' size.
_AIR = 0.35

# The search for an empty place looks at square cells: half the usual letter, 8 pixels on an image of 640, which is what
# a network that reads 320 pixels is given, and as much of a larger one.
_LEAST_CELL, _CELL_SHARE = 8, 8 / 640

# Mean busyness (levels between the darkest and the brightest pixel of a cell) up to which a place counts as empty.
_MOST_BUSY = 24.0

# Nearly black letters need ground at least this bright (of 255).
_LEAST_BRIGHT = 150.0


class ChineseTitle(RandomTransform):
    """Writes the product's name or another's, or any where it is not known, with dates and validity times.

    Nothing is drawn where there is no other name to draw.
    """

    name = "title"

    def __init__(self, config: AugmentConfig, titles: Sequence[str]) -> None:
        super().__init__(config.title_share)
        self.titles, self.own_share = tuple(titles), config.title_own_share
        self.size, self.reference_width = config.title_size, config.title_reference_width
        self.brightness, self.above_share = config.title_brightness, config.title_above_share

    def alter(
        self, image: Image.Image, rng: np.random.Generator, title: str | None
    ) -> tuple[Image.Image, dict[str, Any] | None]:
        above = bool(rng.random() < self.above_share)
        colour = tuple(int(level) for level in rng.integers(self.brightness[0], self.brightness[1] + 1, size=3))
        name, whose = self._name(title, rng)
        if name is None:
            return image, None
        text = compose(name, rng)
        size, width = self._letter_size(text, image.width)
        height = round(size * (1 + 2 * _AIR))
        corner = None if above else emptiest_place(image, (width, height), rng)
        if corner is None:
            image, corner = _with_band(image, height), ((image.width - width) // 2, 0)
            place = "above"
        else:
            image, place = image.copy(), "inside"
        middle = (corner[0], corner[1] + height // 2)
        ImageDraw.Draw(image).text(middle, text, fill=colour, font=hei_font(size), anchor="lm")
        record = {"size": size, "colour": list(colour), "place": place, "corner": list(corner)}
        return image, {"text": text, "whose": whose, **record}

    def _name(self, product: str | None, rng: np.random.Generator) -> tuple[str | None, str]:
        """The product that the title names, None where there is none to name, and whose name that is."""
        is_own, position = bool(rng.random() < self.own_share), rng.random()
        if product is not None and is_own:
            return product, OWN
        names = [name for name in self.titles if name != product]
        name = names[int(position * len(names))] if names else None
        return name, ANY if product is None else OTHER

    def _letter_size(self, text: str, image_width: int) -> tuple[int, int]:
        """The size of the letters and the width of the text, both in pixels."""
        size = max(_LEAST_SIZE, round(self.size * image_width / self.reference_width))
        width = hei_font(size).getlength(text)
        if width > _MOST_WIDTH * image_width:
            size = max(_LEAST_SIZE, int(size * _MOST_WIDTH * image_width / width))
            width = hei_font(size).getlength(text)
        return size, round(width)


def compose(name: str, rng: np.random.Generator) -> str:
    """A title for the product `name` from a random template, date and validity time."""
    template = TEMPLATES[int(rng.integers(len(TEMPLATES)))]
    day = int(rng.integers(1, 28))  # the day after it exists in every month
    return template.format(
        name=name,
        year=int(rng.integers(2010, 2027)),
        month=int(rng.integers(1, 13)),
        day=day,
        last_day=day + 1,
        hour=_HOURS[int(rng.integers(len(_HOURS)))],
        lead=_LEADS[int(rng.integers(len(_LEADS)))],
    )


def emptiest_place(image: Image.Image, size: tuple[int, int], rng: np.random.Generator) -> tuple[int, int] | None:
    """The left upper corner of the emptiest bright place of `size` (width, height), or None when none is empty.

    Among equally empty places one is drawn.
    """
    cell = max(_LEAST_CELL, round(_CELL_SHARE * image.width))
    busy, bright = _cells(image, cell)
    rows, columns = -(-size[1] // cell) + 1, -(-size[0] // cell) + 1
    if rows > busy.shape[0] or columns > busy.shape[1]:
        return None
    cost = _window_means(busy, rows, columns)
    cost[_window_means(bright, rows, columns) < _LEAST_BRIGHT] = np.inf
    if cost.min() > _MOST_BUSY:
        return None
    row, column = rng.choice(np.argwhere(cost <= cost.min() + 1.0))
    return int(column) * cell, int(row) * cell


def _cells(image: Image.Image, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Busyness (greatest minus least level) and brightness of whole cells, `side` pixels each; float64
    `(rows, columns)`."""
    grey = np.asarray(image.convert("L"))
    rows, columns = image.height // side, image.width // side
    cells = grey[: rows * side, : columns * side].reshape(rows, side, columns, side)
    greatest, least = cells.max(axis=(1, 3)).astype(np.float64), cells.min(axis=(1, 3)).astype(np.float64)
    return greatest - least, least


def _window_means(values: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Means over all windows of `rows` x `columns` cells, by differences of the summed-area table."""
    table = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    sums = table[rows:, columns:] - table[:-rows, columns:] - table[rows:, :-columns] + table[:-rows, :-columns]
    return sums / (rows * columns)


def _with_band(image: Image.Image, height: int) -> Image.Image:
    """A copy with a band of the background colour above it; white where the background is too dark for letters."""
    _, background = content_box(image)
    band = background if min(background) >= _LEAST_BRIGHT else (255, 255, 255)
    page = Image.new("RGB", (image.width, image.height + height), band)
    page.paste(image, (0, height))
    return page
