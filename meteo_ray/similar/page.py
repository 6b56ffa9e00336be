"""Writes search.html: one file without scripts or links, each image with its neighbours."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader
from PIL import Image

from meteo_ray.archive.inputs.manifest import Manifest
from meteo_ray.archive.reading.reader import Reader
from meteo_ray.files import visible, write_atomically
from meteo_ray.imaging.data_uri import jpeg_data_uri
from meteo_ray.similar.store import Store

if TYPE_CHECKING:
    from meteo_ray.similar.search import Answer

# Half of the models' input in each direction, about 10 kB as JPEG: titles can be read.
THUMBNAIL_SIZE = (160, 120)
JPEG_QUALITY = 80


def write_page(path: Path, answers: "Sequence[Answer]", store: Store, reader: Callable[[], Reader], bits: int) -> None:
    """Draw the answers; charts whose file has changed or vanished are named without a picture.

    Args:
        reader: gives a reader of the archive at the size of a thumbnail.
        bits: of a code, to tell distances by.
    """
    environment = Environment(loader=PackageLoader("meteo_ray.similar", "."), autoescape=True, trim_blocks=True)
    environment.filters["visible"] = visible
    listed = Manifest(store.manifest).find({row["image_id"] for answer in answers for row in answer.neighbours})
    with reader() as thumbnails:
        pictures = _pictures(answers, listed, thumbnails)
    page = environment.get_template("search.html").render(
        queries=[_query(answer, pictures) for answer in answers],
        model=store.version,
        folder=str(store.folder),
        bits=bits,
    )
    write_atomically(path, page)


def _query(answer: "Answer", pictures: Mapping[str, str]) -> dict[str, Any]:
    pixels = answer.query.pixels
    picture = None
    if pixels is not None:
        picture = jpeg_data_uri(Image.fromarray(pixels).resize(THUMBNAIL_SIZE, Image.Resampling.BOX), JPEG_QUALITY)
    neighbours = [{**row, "picture": pictures.get(row["image_id"])} for row in answer.neighbours]
    return {"path": answer.query.path, "problem": answer.query.problem, "picture": picture, "neighbours": neighbours}


def _pictures(answers: "Sequence[Answer]", listed: Mapping[str, Mapping[str, Any]], reader: Reader) -> dict[str, str]:
    """A picture of every neighbour whose file still holds what was indexed, by its id."""
    found = {}
    for row in {row["image_id"]: row for answer in answers for row in answer.neighbours}.values():
        place = listed.get(row["image_id"])
        read = None if place is None else reader.read({**place, "status": "", "reason": ""})
        if read is not None and read.image is not None and read.sha256 == row["sha256"]:
            found[row["image_id"]] = jpeg_data_uri(Image.fromarray(read.image.pixels), JPEG_QUALITY)
    return found
