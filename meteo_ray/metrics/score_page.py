"""A page of tables and plots for scores that are no part of the cascade's report: forecasts, nowcasts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from meteo_ray.data_uri import picture_uri
from meteo_ray.files import visible, write_atomically


@dataclass(frozen=True)
class Table:
    """A heading, a sentence, and lines of cells under names of columns."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    pictures: Sequence[bytes] = field(default_factory=list)
    """PNGs or GIFs that stand under the table."""


def write_score_page(path: Path, title: str, note: str, tables: Sequence[Table]) -> None:
    """Write one self-contained HTML file."""
    environment = Environment(
        loader=PackageLoader("meteo_ray.metrics", "."), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["visible"] = visible
    environment.filters["picture"] = picture_uri
    page = environment.get_template("score_page.html").render(title=title, note=note, tables=tables)
    write_atomically(path, page)
