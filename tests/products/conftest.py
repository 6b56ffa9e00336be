"""One tiny base model for all tests of this folder: four-letter names spelled in several tokens each."""

from pathlib import Path

import pytest

from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.config import SmallBase
from meteo_ray.products.small_base import make_small_base
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
