"""Models that were trained before labels were appended go on with what they know, and say what they do not."""

import json
import logging
import shutil
from pathlib import Path

import pytest

from meteo_ray import bundle
from meteo_ray.archive.cascade.models import bundled_models
from meteo_ray.archive.config import ArchiveConfig
from meteo_ray.errors import UsageError
from meteo_ray.evaluation.config import EvaluateJob
from meteo_ray.evaluation.run import Evaluation
from meteo_ray.files import sha256_of
from meteo_ray.products.predictor import ProductsPredictor
from meteo_ray.vocabulary import Element, Product, Vocabulary
from tests.archive.untrained import VOCABULARY, write_models
from tests.pictures import picture_index, write_index

GROWN = Vocabulary(
    (*VOCABULARY.elements, Element(id="meteor", zh="流星", en="meteor")),
    (*VOCABULARY.products, Product(id="meteor_map", zh="流星分布图", elements=("meteor",))),
)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    return write_models(tmp_path_factory.mktemp("old") / "models")


def relabelled(models: Path, target: Path, stage: str, vocabulary: Vocabulary) -> Path:
    """A copy of the models in which one bundle says that it was trained with another vocabulary."""
    shutil.copytree(models, target)
    labels = target / stage / bundle.LABELS
    labels.write_text(vocabulary.to_yaml(), "utf-8")
    sums = (target / stage / bundle.SUMS).read_text("utf-8").splitlines()
    changed = [f"{sha256_of(labels)}  {bundle.LABELS}" if line.endswith(bundle.LABELS) else line for line in sums]
    (target / stage / bundle.SUMS).write_text("\n".join(changed) + "\n", "utf-8")
    return target


def test_evaluation_scores_what_the_old_model_knows(models, tmp_path, ray_session, caplog):
    index = picture_index(tmp_path, per_split=3)
    rows = [{**row, "elements": [*row["elements"], "meteor"] if row["is_meteo"] else []} for row in index.to_pylist()]
    write_index(tmp_path, type(index).from_pylist(rows, schema=index.schema))
    (tmp_path / "labels.yaml").write_text(GROWN.to_yaml(), "utf-8")
    job = EvaluateJob(
        data=tmp_path, models=models, out=tmp_path / "m.json", data_workers=1, augmentation={"enabled": False}
    )
    with caplog.at_level(logging.WARNING):
        found = Evaluation(job).run().document
    assert "elements: trained before these elements came up: meteor" in caplog.text
    assert "products: trained before these products came up: meteor_map" in caplog.text
    assert set(found["elements"]["ap"]) == set(VOCABULARY.element_ids)
    assert found["elements"]["support"]["wind"] == 3
    assert found["products"]["rows"] == 3
    assert found["cascade"]["passed"] == 5  # of six rows one is ambiguous and left out
    json.dumps(found, allow_nan=False)


def test_an_archive_takes_models_of_different_age(models, tmp_path, caplog):
    older = Vocabulary(VOCABULARY.elements, VOCABULARY.products[:-1])
    mixed = relabelled(models, tmp_path / "mixed", "products", older)
    with caplog.at_level(logging.WARNING):
        found = bundled_models(ArchiveConfig(archive="a", models=mixed, out="o"))
    assert found.vocabulary == VOCABULARY
    assert f"trained before these products came up: {VOCABULARY.product_ids[-1]}" in caplog.text
    assert "gate" not in caplog.text


def test_a_gate_from_elsewhere_is_told_and_judges(models, tmp_path, caplog):
    """It names nothing: a gate that learnt from drawings serves an office with labels of its own."""
    turned = Vocabulary(VOCABULARY.elements[::-1], VOCABULARY.products)
    mixed = relabelled(models, tmp_path / "mixed", "gate", turned)
    with caplog.at_level(logging.WARNING):
        found = bundled_models(ArchiveConfig(archive="a", models=mixed, out="o"))
    assert found.vocabulary == VOCABULARY
    assert "gate: trained with other labels, of which it uses none: elements, position 0" in caplog.text
    assert found.models[0].load().version == found.versions["gate"]


@pytest.mark.parametrize("stage", ["elements", "products"])
def test_an_archive_refuses_a_bundle_with_reordered_labels(models, tmp_path, stage):
    turned = Vocabulary(VOCABULARY.elements[::-1], VOCABULARY.products)
    mixed = relabelled(models, tmp_path / "mixed", stage, turned)
    with pytest.raises(UsageError, match="elements, position 0"):
        bundled_models(ArchiveConfig(archive="a", models=mixed, out="o"))


def test_gemma_must_know_the_names_that_it_is_asked_with(models):
    first, *others = VOCABULARY.products
    renamed = Vocabulary(VOCABULARY.elements, (first.model_copy(update={"zh": "别的名字"}), *others))
    with pytest.raises(UsageError, match=f"{first.id}: 别的名字 in the vocabulary, {first.zh} in the model"):
        ProductsPredictor.load(models / "products", "cpu", renamed)


def test_one_model_in_the_place_of_the_folder_of_all_is_pointed_out(models):
    with pytest.raises(UsageError, match=r"gate: is one model; give the folder in which it stands, "):
        bundled_models(ArchiveConfig(archive="a", models=models / "gate", out="o"))


def test_without_the_last_model_the_stages_that_go_are_named(models, tmp_path):
    for name in ("gate", "elements"):
        shutil.copytree(models / name, tmp_path / name)
    with pytest.raises(UsageError, match=r"no products model here.*; --stages gate,elements goes without$"):
        bundled_models(ArchiveConfig(archive="a", models=tmp_path, out="o"))
