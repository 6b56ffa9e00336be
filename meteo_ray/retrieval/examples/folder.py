"""The folder of examples: a sub-folder for each product, named by its id or any of its names, with charts of it."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.files import storable
from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.guarded_decoding import GuardedLoader
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.vocabulary.vocabulary import normalise

logger = logging.getLogger("meteo_ray")

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
    place: str = ""  # to tell mistakes by


def example_files(folder: Path, vocabulary: Vocabulary) -> list[ExampleFile]:
    """The files of all sub-folders, by name in any case or width. A name that the vocabulary lacks is a product of its
    own, by that id; such are logged.

    Raises:
        UsageError: when the folder, a sub-folder or all products are missing, two sub-folders mean one product, or the
            name of one is not UTF-8.
    """
    if not folder.is_dir():
        raise UsageError(f"--examples {folder}: no such folder; it holds a sub-folder of example charts a product")
    found: list[ExampleFile] = []
    places: dict[str, Path] = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        product = _product(place, vocabulary)
        files = sorted(path for path in place.iterdir() if path.is_file() and not path.name.startswith("."))
        if not files:
            raise UsageError(f"{place}: holds no example; put one to five charts of the product there, or remove it")
        key = normalise(product or NONE)
        if key in places:
            raise UsageError(f"{places[key]} and {place} mean the same product, {product or NONE}; put them together")
        places[key] = place
        found += [ExampleFile(path, product) for path in files]
    products = dict.fromkeys(file.product for file in found if file.product is not None)
    if not products:
        raise UsageError(
            f"--examples {folder}: no product here; make a sub-folder for each, named by its id, with charts of it"
        )
    new = [product for product in products if product not in vocabulary.product_by_id]
    if new:
        logger.warning("--examples: not in the vocabulary, taken as new products: %s", ", ".join(new))
    return found


def _product(place: Path, vocabulary: Vocabulary) -> str | None:
    """The id of the product that a sub-folder means, None for NONE."""
    if storable(place.name) != place.name:
        raise UsageError(
            f"--examples: the sub-folder {storable(str(place))} has a name that is not UTF-8, as ids of products are; "
            "rename it"
        )
    if normalise(place.name) == NONE:
        return None
    try:
        return vocabulary.resolve_product(place.name)
    except KeyError:
        return place.name


def read_examples(files: list[ExampleFile]) -> Iterator[ExampleImage]:
    """Their pixels, decoded in a guarded child. Raises UsageError for a file that is no image."""
    with GuardedLoader() as loader:
        for file in files:
            try:
                image = loader.load(file.path)
            except DecodeFailure as failure:
                raise UsageError(
                    f"{storable(str(file.path))}: no example chart: {failure.reason}: {failure.detail}"
                ) from None
            yield ExampleImage(file.product, image.sha256, image.pixels, storable(str(file.path)))
