"""Writes report.html: one file without scripts or links, with counts, examples and the list of bad files."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader
from PIL import Image

from meteo_ray.archive.inputs.manifest import Manifest
from meteo_ray.archive.reading.reader import Reader
from meteo_ray.archive.results.summary import HISTOGRAM_BINS, HISTOGRAMS, TALLIES, Totals
from meteo_ray.files import visible, write_atomically
from meteo_ray.imaging.data_uri import jpeg_data_uri
from meteo_ray.vocabulary import Vocabulary

Bar = tuple[str, str, int, float]
"""Id, name, count, and length in percent of the longest."""

# A quarter of the models' input: enough to recognise a chart, about 5 kB each as JPEG.
THUMBNAIL_SIZE = (160, 120)
JPEG_QUALITY = 80


def write_report(
    path: Path,
    totals: Totals,
    summary: Mapping[str, Any],
    manifest: Manifest,
    reader: Callable[[tuple[int, int]], Reader],
    vocabulary: Vocabulary,
) -> None:
    """Draw the report of a finished run; pictures come from the archive, and those that have changed are left out.

    Args:
        reader: gives a reader of the archive at the size of a thumbnail.
    """
    environment = Environment(loader=PackageLoader("meteo_ray.archive.results", "."), autoescape=True, trim_blocks=True)
    environment.filters["visible"] = visible
    element_names = {element.id: element.zh for element in vocabulary.elements}
    product_names = {product.id: product.zh for product in vocabulary.products}
    with reader(THUMBNAIL_SIZE) as thumbnails:
        page = environment.get_template("report.html").render(
            summary=summary,
            element_names=element_names,
            product_names=product_names,
            bars=_bars(totals, {"elements": element_names, "products": product_names}),
            histograms=_histograms(totals),
            sheets=_sheets(totals, product_names, manifest, thumbnails),
            bad_files=totals.bad_files,
            bad=totals.bad,
        )
    write_atomically(path, page)


def _bars(totals: Totals, names: Mapping[str, Mapping[str, str]]) -> list[tuple[str, list[Bar]]]:
    """A group for each tally, the last stage's first.

    `names` holds what ids are called, by the key of their tally.
    """
    groups = []
    for column, counts in reversed(totals.tallies.items()):
        longest = max(counts.values(), default=1)
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        known = names.get(TALLIES[column], {})
        bars = [(name, known.get(name, name), number, 100 * number / longest) for name, number in ordered]
        groups.append((TALLIES[column].capitalize(), bars))
    return [(title, bars) for title, bars in groups if bars]


def _histograms(totals: Totals) -> list[tuple[str, list[tuple[str, int, float]]]]:
    return [(HISTOGRAMS[column], _columns(counts)) for column, counts in totals.histograms.items() if counts.sum()]


def _columns(counts: np.ndarray) -> list[tuple[str, int, float]]:
    edges = np.linspace(0, 1, HISTOGRAM_BINS + 1)
    ranges = [f"{low:.2f} to {high:.2f}" for low, high in pairwise(edges)]
    return list(zip(ranges, counts.tolist(), (100 * counts / counts.max()).tolist(), strict=True))


def _sheets(
    totals: Totals, names: Mapping[str, str], manifest: Manifest, reader: Reader
) -> list[tuple[str, list[dict[str, Any]]]]:
    """Titled groups of examples; a group without a picture is left out."""
    groups = [
        ("Charts that the models are least sure of", totals.unsure.rows()),
        ("Turned away by the gate, nearest to its threshold", totals.turned_away.rows()),
    ]
    for product, _ in totals.tallies.get("product", Counter()).most_common():
        groups.append((f"{names.get(product, product)} ({product})", totals.examples[product].rows()))
    listed = manifest.find({row["image_id"] for _, rows in groups for row in rows})
    sheets = [(title, _pictures(rows, listed, reader)) for title, rows in groups]
    return [(title, pictures) for title, pictures in sheets if pictures]


def _pictures(
    rows: Iterable[dict[str, Any]], listed: Mapping[str, Mapping[str, Any]], reader: Reader
) -> list[dict[str, Any]]:
    pictures = []
    for row in rows:
        read = reader.read(listed[row["image_id"]])
        if read.image is not None and read.sha256 == row["sha256"]:
            pictures.append({**row, "picture": jpeg_data_uri(Image.fromarray(read.image.pixels), JPEG_QUALITY)})
    return pictures
