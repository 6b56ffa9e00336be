"""One image of the data set from its number: what it shows, how it looks, its bytes and its row in labels.jsonl."""

import io
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from meteo_ray.drawing.charts import CHARTS, Chart, product_charts, vocabulary
from meteo_ray.drawing.lettering import Picture, text_lines
from meteo_ray.drawing.logos import draw_logos
from meteo_ray.drawing.lookalikes import LOOKALIKES, Lookalike
from meteo_ray.drawing.page import draw_page
from meteo_ray.drawing.story import LOOSE, OFFICES, Story
from meteo_ray.drawing.style import Style, sample_style, strictness
from meteo_ray.drawing.surround import surround

DATA, ARCHIVE = 1, 2  # streams of random numbers: an archive never repeats an image of the data set
WITHOUT_PRODUCT = 0.3  # share of charts that belong to no product of the vocabulary
UNKNOWN_LABELS = 0.02  # share of charts whose elements nobody wrote down (`labels: null`)
SEVERAL_PANELS = 0.1


@dataclass(frozen=True)
class Order:
    """Which image to draw; everything about it follows from these numbers."""

    seed: int
    stream: int
    is_meteo: bool
    number: int
    offices: int = OFFICES
    habit: float = LOOSE

    def rng(self) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.stream, int(self.is_meteo), self.number])


@dataclass(frozen=True)
class Drawn:
    """An encoded image, its file extension and its row, which lacks only the path."""

    data: bytes
    extension: str
    row: dict[str, Any]


def draw(order: Order) -> Drawn:
    """Draw one image, the same for the same order on any worker."""
    rng = order.rng()
    story = Story.sample(rng, order.offices)
    style = sample_style(rng, story.source, order.habit)
    picture, row = _chart(order, style, story, rng) if order.is_meteo else _other(order, style, story, rng)
    picture = surround(picture, style.page, style.chinese, rng)
    # Photographs are kept as JPEG almost everywhere; a PNG of one would be megabytes.
    photo = row.get("kind") == "photo_art" and rng.random() < 0.85
    data, extension = encode(picture.image, "jpeg" if photo else style.coder, rng)
    row |= {
        "source": story.source,
        "time": story.issued.isoformat(),
        "language": "zh" if style.chinese else "en",
        "text_lines": text_lines(picture),
    }
    return Drawn(data, extension, row)


def chart_for(order: Order) -> Chart:
    """Products come round in turn, each as often as any other; the rest are charts without a product."""
    products = list(product_charts().values())
    others = [chart for chart in CHARTS.values() if chart.product is None]
    without = WITHOUT_PRODUCT * (1 - strictness(order.habit))
    free = round(len(products) * without / (1 - without))
    turn, place = divmod(order.number, len(products) + free)
    shuffled = np.random.default_rng([order.seed, order.stream, 2, turn]).permutation(len(products) + free)
    slot = int(shuffled[place])
    choices = products[slot] if slot < len(products) else others
    weights = np.array([chart.weight for chart in choices])
    rng = np.random.default_rng([order.seed, order.stream, 3, order.number])
    return choices[int(rng.choice(len(choices), p=weights / weights.sum()))]


def _chart(order: Order, style: Style, story: Story, rng: np.random.Generator) -> tuple[Picture, dict[str, Any]]:
    chart = chart_for(order)
    name = chart.titles[int(rng.integers(len(chart.titles)))]
    names = [name]
    if chart.panels and rng.random() < SEVERAL_PANELS * (1 - strictness(order.habit)):
        names = [(f"{name[0]} +{6 * k}h", f"{name[1]} +{6 * k}h") for k in range(int(rng.choice([2, 2, 3, 4, 4, 6])))]
        style = replace(style, font_size=style.font_size * 0.8, page="none")
    picture, shown = draw_page(chart.draw, names, style, story, rng, _logos(order.seed))
    elements = set(chart.elements) | shown
    known = rng.random() >= UNKNOWN_LABELS
    ordered = [element for element in vocabulary().element_ids if element in elements]
    row = {
        "is_meteo": 1,
        "labels": ordered if known else None,
        "product": chart.product if known else None,
        "title": name[0] if style.chinese else name[1],
    }
    return picture, row


def _other(order: Order, style: Style, story: Story, rng: np.random.Generator) -> tuple[Picture, dict[str, Any]]:
    entry = _lookalike(rng)
    if entry.draw is not None:
        name = entry.titles[int(rng.integers(len(entry.titles)))]
        picture, _ = draw_page(entry.draw, [name], style, story, rng, _logos(order.seed))
    else:
        assert entry.paint is not None
        picture = entry.paint(style, rng)
    return picture, {
        "is_meteo": 0,
        "labels": [],
        "product": None,
        "kind": entry.kind,
        "title": entry.name.replace("_", " "),
    }


def _lookalike(rng: np.random.Generator) -> Lookalike:
    entries = list(LOOKALIKES.values())
    weights = np.array([entry.weight for entry in entries])
    return entries[int(rng.choice(len(entries), p=weights / weights.sum()))]


@lru_cache(maxsize=2)
def _logos(seed: int) -> tuple[Picture, ...]:
    return tuple(draw_logos(seed))


def encode(picture: Image.Image, coder: str, rng: np.random.Generator) -> tuple[bytes, str]:
    """Bytes and extension: PNG, PNG with a palette of 64 to 255 colours, or JPEG of quality 60 to 95."""
    stream = io.BytesIO()
    if coder == "jpeg":
        picture.save(stream, "JPEG", quality=int(rng.integers(60, 96)))
        return stream.getvalue(), ".jpg"
    if coder == "palette":
        picture = picture.quantize(int(rng.integers(64, 256)), Image.Quantize.FASTOCTREE)
    picture.save(stream, "PNG", compress_level=3)
    return stream.getvalue(), ".png"
