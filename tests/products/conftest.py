"""For all tests of this folder: one tiny base model, which spells names in several tokens each, and a few images."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from meteo_ray.batch import ANSWERED
from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.config import SmallBase
from meteo_ray.products.small_base import make_small_base
from meteo_ray.schema import INDEX, SCORED_ID, TRAIN, VALIDATION
from meteo_ray.text.table import texts_path, write_texts
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.vocabulary import Vocabulary, load_vocabulary
from meteo_ray.voters.descriptors import FEATURES

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


@pytest.fixture(scope="session")
def inputs(data: Path, index: pa.Table, vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> TaskInputs:
    """Nothing is known of the charts but their labels."""
    folder = tmp_path_factory.mktemp("inputs")
    return TaskInputs(data, folder / "models", folder / "cache", index, vocabulary, folder / "index")


@pytest.fixture(scope="session")
def answered_inputs(inputs: TaskInputs, tmp_path_factory: pytest.TempPathFactory) -> TaskInputs:
    """The same with all that earlier stages answer beside the labels, and with texts: each title is a product's name.

    One chart in eight was not answered, and lightning has no text.
    """
    folder, rng = tmp_path_factory.mktemp("answered"), np.random.default_rng(5)
    vocabulary, index = inputs.vocabulary, inputs.index
    scores, elements, descriptors, texts = [], [], [], {}
    for number, sha256 in enumerate(index["sha256"].to_pylist()):
        product = vocabulary.product_by_id[PRODUCTS[number % 4]]
        shown = vocabulary.multi_hot(product.elements) > 0
        row = np.where(shown, rng.uniform(0.6, 0.95, len(shown)), rng.uniform(0.01, 0.3, len(shown)))
        pairs = zip(vocabulary.element_ids, row.tolist(), strict=True)
        named = [{"id": name, "score": score} for name, score in pairs if score > 0.5]
        there = number % 8 != 6
        scores.append(row.tolist() if there else None)
        elements.append(named if there else None)
        descriptors.append((rng.normal(size=FEATURES) + number % 4).tolist() if there else None)
        if product.id != "lightning_density":
            texts[sha256] = {"sha256": sha256, "title": product.zh, "text": f"{product.zh}\n中央气象台"}
    for name, rows, kind in (
        ("elements", elements, pa.list_(SCORED_ID)),
        ("element_scores", scores, pa.list_(pa.float32())),
        ("descriptors", descriptors, pa.list_(pa.float32())),
    ):
        index = index.append_column(ANSWERED + name, pa.array(rows, kind))
    path = texts_path(inputs.data, folder / "index")
    path.parent.mkdir()
    write_texts(path, [{**row, "valid_time": None, "level": None, "centre": None} for row in texts.values()])
    return replace(inputs, models=folder / "models", cache=folder / "cache", index=index, index_folder=folder / "index")
