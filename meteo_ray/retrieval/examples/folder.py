"""The folder of examples: a sub-folder for each product, named by its id or any of its names, with charts of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.guarded_decoding import GuardedLoader
from meteo_ray.vocabulary import Vocabulary

NONE = "none"
"""The sub-folder, if there is one, of charts that are of none of the products."""


@dataclass(frozen=True)
class ExampleFile:
    """A file and the product that it shows, None of the sub-folder NONE."""

    path: Path
    product: str | None


@dataclass(frozen=True)
class ExampleImage:
    """An example's pixels, uint8 `(240, 320, 3)`."""

    product: str | None
    sha256: str
    pixels: np.ndarray


def example_files(folder: Path, vocabulary: Vocabulary) -> list[ExampleFile]:
    """The files of all sub-folders, by name. A name that the vocabulary lacks is a product of its own, by that id.

    Raises:
        UsageError: when the folder, a sub-folder or all products are missing, or two sub-folders mean one product.
    """
    if not folder.is_dir():
        raise UsageError(f"--examples {folder}: no such folder; it holds a sub-folder of example charts a product")
    known = {name: product.id for product in vocabulary.products for name in (product.id, *product.names)}
    found: list[ExampleFile] = []
    places: dict[str, Path] = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        files = sorted(path for path in place.iterdir() if path.is_file() and not path.name.startswith("."))
        if not files:
            raise UsageError(f"{place}: holds no example; put one to five charts of the product there, or remove it")
        product = known.get(place.name, place.name)
        if product in places:
            raise UsageError(f"{places[product]} and {place} mean the same product, {product}; put them together")
        places[product] = place
        found += [ExampleFile(path, None if place.name == NONE else product) for path in files]
    if all(file.product is None for file in found):
        raise UsageError(
            f"--examples {folder}: no product here; make a sub-folder for each, named by its id, with charts of it"
        )
    return found


def read_examples(files: list[ExampleFile]) -> Iterator[ExampleImage]:
    """Their pixels, decoded in a guarded child. Raises UsageError for a file that is no image."""
    with GuardedLoader() as loader:
        for file in files:
            try:
                image = loader.load(file.path)
            except DecodeFailure as failure:
                raise UsageError(f"{file.path}: no example chart: {failure.reason}: {failure.detail}") from None
            yield ExampleImage(file.product, image.sha256, image.pixels)
