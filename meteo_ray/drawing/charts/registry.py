"""Which drawing function draws what. A chart with a product shows that product's elements."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from meteo_ray.drawing.panel import Panel
from meteo_ray.vocabulary import Vocabulary, load_vocabulary

Draw = Callable[[Panel], None]


@dataclass(frozen=True)
class Chart:
    """One kind of chart: its function, what it shows, and the names it may be printed under (zh, en)."""

    name: str
    draw: Draw
    product: str | None
    elements: tuple[str, ...]
    titles: tuple[tuple[str, str], ...]
    panels: bool  # looks sensible as one of several on a page
    weight: float  # how often it is drawn, compared with its siblings


@cache
def vocabulary() -> Vocabulary:
    """The project's vocabulary, read once."""
    return load_vocabulary()


CHARTS: dict[str, Chart] = {}


def chart(
    *titles: tuple[str, str],
    product: str | None = None,
    elements: tuple[str, ...] = (),
    panels: bool = True,
    weight: float = 1.0,
) -> Callable[[Draw], Draw]:
    """Register a drawing function; give `product` (its elements come from the vocabulary) or `elements`."""

    def register(draw: Draw) -> Draw:
        shown, names = elements, titles
        if product is not None:
            entry = vocabulary().product_by_id[product]
            shown, names = entry.elements, ((entry.zh, titles[0][1]), *titles)
        name = draw.__name__
        if name in CHARTS:
            raise ValueError(f"two charts are called {name}")
        CHARTS[name] = Chart(name, draw, product, tuple(shown), tuple(names), panels, weight)
        return draw

    return register


def product_charts() -> dict[str, list[Chart]]:
    """Product id -> the charts that draw it, in the vocabulary's order; a list is empty where nothing does."""
    found: dict[str, list[Chart]] = {product: [] for product in vocabulary().product_ids}
    for entry in CHARTS.values():
        if entry.product is not None:
            found[entry.product].append(entry)
    return found
