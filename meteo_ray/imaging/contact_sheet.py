"""Many images with captions on one page: a person sees what is wrong with data faster than any check."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from meteo_ray.imaging.fonts import hei_font

_GAP = 6  # pixels between tiles and around them
_LETTER = 11  # pixels; the least size at which Chinese captions can be read without effort
_LINE = 15  # pixels from one caption line to the next
_PAGE, _INK = "#e8ecf0", "#1c2733"  # a faint page, so that the edges of white charts show


def contact_sheet(
    images: Sequence[np.ndarray | Image.Image],
    captions: Sequence[str] | None = None,
    columns: int = 4,
    tile_size: tuple[int, int] = (320, 240),
) -> Image.Image:
    """The images line by line, `columns` a line, each within `tile_size` (width, height), its caption below.

    Arrays are uint8 RGB `(height, width, 3)`. Captions may have several lines (split by newlines); what is too long
    for its tile ends in an ellipsis.

    Raises:
        ValueError: when the numbers of images and captions differ, or there are no images.
    """
    texts = list(captions) if captions is not None else [""] * len(images)
    if not images or len(texts) != len(images):
        raise ValueError(f"{len(images)} images with {len(texts)} captions make no contact sheet")
    columns = min(columns, len(images))
    lines = max(text.count("\n") + 1 if text else 0 for text in texts)
    step = (tile_size[0] + _GAP, tile_size[1] + lines * _LINE + _GAP)
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * step[0] + _GAP, rows * step[1] + _GAP), _PAGE)
    for number, (image, text) in enumerate(zip(images, texts, strict=True)):
        row, column = divmod(number, columns)
        corner = (_GAP + column * step[0], _GAP + row * step[1])
        _paste_centred(sheet, image, corner, tile_size)
        _write(sheet, text, (corner[0], corner[1] + tile_size[1]), tile_size[0])
    return sheet


def _paste_centred(
    sheet: Image.Image, image: np.ndarray | Image.Image, corner: tuple[int, int], tile_size: tuple[int, int]
) -> None:
    picture = (Image.fromarray(image) if isinstance(image, np.ndarray) else image).convert("RGB")
    picture.thumbnail(tile_size)
    left = corner[0] + (tile_size[0] - picture.width) // 2
    top = corner[1] + (tile_size[1] - picture.height) // 2
    sheet.paste(picture, (left, top))


def _write(sheet: Image.Image, text: str, corner: tuple[int, int], width: int) -> None:
    draw = ImageDraw.Draw(sheet)
    for number, line in enumerate(text.split("\n") if text else []):
        place = (corner[0], corner[1] + number * _LINE)
        draw.text(place, _shortened(line, width), fill=_INK, font=hei_font(_LETTER))


def _shortened(text: str, width: int) -> str:
    font = hei_font(_LETTER)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
