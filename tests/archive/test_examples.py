"""An archive whose products come from a folder of examples."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from meteo_ray.archive import run
from meteo_ray.archive.cascade.models import Models, bundled_models, examples_model
from meteo_ray.archive.config import ArchiveConfig
from meteo_ray.errors import UsageError
from meteo_ray.vocabulary import load_vocabulary
from tests.archive.fakes import BLUE, DARK_BLUE, fake_models, paint, paint_archive
from tests.archive.in_process import without_ray
from tests.archive.test_run import config, rows
from tests.similar.conftest import write_retrieval

__all__ = ["without_ray"]


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    for number in range(3):
        paint(tmp_path / "examples" / "light" / f"{number}.png", BLUE, 100 + number)
        paint(tmp_path / "examples" / "dark" / f"{number}.png", DARK_BLUE, 200 + number)
    return tmp_path / "examples"


def test_examples_answer_in_the_place_of_the_products_stage(without_ray, tmp_path, examples):
    archive = paint_archive(tmp_path / "archive", charts=6, others=2)
    models = write_retrieval(tmp_path / "models")
    others = fake_models(("gate", "elements"))
    by_example = examples_model(models, examples, load_vocabulary())
    settings = config(archive, tmp_path / "out", examples=examples)
    run.classify(settings, Models([*others.models, by_example], others.vocabulary))
    found = {row["path"]: row for row in rows(tmp_path / "out")}
    for number in range(6):
        row = found[f"charts/{number:04d}.png"]
        assert row["product"] == ("light" if number % 2 else "dark"), row
        assert f"products={by_example.version}" in row["model_version"]
        assert {entry["id"] for entry in row["product_top"]} == {"light", "dark"}
    assert found["others/0000.png"]["product"] is None


def test_examples_need_the_gate_alone_and_their_stage(tmp_path, examples):
    assert config(tmp_path, tmp_path / "out", examples=examples, stages=("gate", "products")).stages[-1] == "products"
    with pytest.raises(ValidationError, match="which --stages leaves out"):
        config(tmp_path, tmp_path / "out", examples=examples, stages=("gate",))
    with pytest.raises(ValidationError, match="products needs elements before it"):
        config(tmp_path, tmp_path / "out", stages=("gate", "products"))


def test_all_models_that_are_missing_are_named_at_once(tmp_path, examples):
    (tmp_path / "models").mkdir()
    with pytest.raises(UsageError, match=r"3 models are missing") as refused:
        bundled_models(config(tmp_path, tmp_path / "out", examples=examples))
    for name in ("gate", "elements", "retrieval"):
        assert f"no {name} model here; train it with jobs/train_{name}.py" in str(refused.value)


def test_the_packages_models_are_said_to_have_none_for_examples(tmp_path, examples):
    asked = ArchiveConfig(archive=tmp_path / "archive", out=tmp_path / "out", examples=examples)
    with pytest.raises(UsageError, match=r"--examples needs a retrieval model, and none comes with the package"):
        bundled_models(asked)


def test_without_a_retrieval_model_the_examples_are_refused(tmp_path, examples):
    with pytest.raises(UsageError, match="no retrieval model here"):
        examples_model(tmp_path, examples, load_vocabulary())
