"""For all tests of this folder: one tiny base model, which spells names in several tokens each, and a few images."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.config import SmallBase
from meteo_ray.products.small_base import make_small_base
from meteo_ray.schema import INDEX, TRAIN, VALIDATION
from meteo_ray.vocabulary import Vocabulary, load_vocabulary

TINY = SmallBase(
    hidden_size=32,
    layers=2,
    heads=2,
    image_size=32,
    patch_size=8,
    vision_hidden_size=32,
    vision_layers=1,
    image_tokens_per_side=2,
    vocabulary_size=330,  # too few for whole names, so that answers share beginnings and have several tokens
)

PRODUCTS = ("snow_depth", "lightning_density", "24h_cn_temperature_change", "24h_cn_max_temperature")


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return load_vocabulary()


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory, vocabulary: Vocabulary) -> Path:
    folder = tmp_path_factory.mktemp("base") / "tiny"
    make_small_base(folder, vocabulary, TINY)
    return folder


@pytest.fixture(scope="session")
def base(base_folder: Path) -> GemmaBase:
    return GemmaBase.open(base_folder)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen flat images; each product has a colour of its own."""
    folder = tmp_path_factory.mktemp("data")
    for number in range(16):
        colour = tuple((60 * (number % 4) + 20 * channel) % 256 for channel in range(3))
        image = Image.new("RGB", (64, 48), colour)
        image.paste((255, 255, 255), (8, 8, 30, 30))
        image.save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def index(data: Path, vocabulary: Vocabulary) -> pa.Table:
    rows = []
    for number in range(16):
        product = PRODUCTS[number % 4]
        content = (data / f"{number}.png").read_bytes()
        rows.append(
            {
                "image_id": hashlib.sha256(str(number).encode()).hexdigest()[:16],
                "path": f"{number}.png",
                "sha256": hashlib.sha256(content).hexdigest(),
                "is_meteo": True,
                "elements": list(vocabulary.product_by_id[product].elements) if number % 5 else None,
                "product": product if number < 14 else None,
                "split": TRAIN if number < 8 else VALIDATION,
            }
        )
    return pa.Table.from_pylist(rows, schema=INDEX)
