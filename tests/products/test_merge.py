"""Merging an adapter: the same answers from an ordinary folder, and nothing written where something is wrong."""

from pathlib import Path

import pytest
import torch

from jobs.merge_products import main
from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.products import merge
from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.bundle import write_bundle
from meteo_ray.products.calibration import ProductsCalibration
from meteo_ray.products.config import ProductsTraining
from meteo_ray.products.lora_adapter import adapter_parameters, add_adapter
from meteo_ray.products.shortlist import Shortlist
from meteo_ray.products.verdict import ProductsVerdict

UNFITTED = ProductsCalibration(ProductsVerdict.untrained(), 0)


@pytest.fixture
def models(base: GemmaBase, vocabulary, tmp_path: Path) -> Path:
    """A bundle whose adapter changes a good deal."""
    model = base.load_model()
    add_adapter(model, rank=2, alpha=4)
    generator = torch.Generator().manual_seed(0)
    for parameter in adapter_parameters(model):
        parameter.data.normal_(std=0.2, generator=generator)
    config = ProductsTraining(base_model=str(base.folder), quantize="none", lora_rank=2, lora_alpha=4)
    with bundle.writing(tmp_path / "models" / "products") as scratch:
        write_bundle(scratch, model, base, config, Shortlist.untrained(vocabulary), UNFITTED)
    return tmp_path / "models"


def test_the_merged_folder_answers_as_the_adapted_base(models: Path, base: GemmaBase, tmp_path: Path, caplog) -> None:
    out = tmp_path / "merged"
    assert main(["--models", str(models), "--out", str(out)]) == 0
    merged = GemmaBase.open(out)
    assert merged.config.dtype == torch.bfloat16
    names = set(merged.load_model().state_dict())
    assert names == set(base.load_model().state_dict())
    probe = merge._probe(merged, bundle.read_labels(models / "products", None))
    adapted = merge.read_bundle(models / "products", "cpu").model
    wanted, found = merge._logits(adapted, probe), merge._logits(merged.load_model(), probe)
    untouched = merge._logits(adapted, probe, with_adapter=False)
    assert merge._distance(found, wanted) < 0.02  # bfloat16 weights, float32 arithmetic
    assert merge._distance(untouched, wanted) > 0.2
    assert main(["--models", str(models), "--out", str(out)]) == 0  # what it made it replaces


def test_only_its_own_folders_are_replaced(models: Path, base_folder: Path, tmp_path: Path, capsys) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "model.safetensors").write_text("mine")
    assert main(["--models", str(models), "--out", str(foreign)]) == 2
    assert (foreign / "model.safetensors").read_text() == "mine"
    with pytest.raises(UsageError, match="is the base model itself"):
        merge.merge_adapter(models / "products", base_folder)
    assert main(["--models", str(models)]) == 2
    assert "--out is required" in capsys.readouterr().err


def test_a_merge_that_answers_differently_is_not_kept(models: Path, tmp_path: Path, monkeypatch) -> None:
    def wrong(model: torch.nn.Module) -> None:
        for name, layer in list(merge._adapted_layers(model)):
            model.set_submodule(name, layer.get_base_layer())

    monkeypatch.setattr(merge, "merge_layers", wrong)
    with pytest.raises(UsageError, match=r"more than the 6\.4% that rounding explains"):
        merge.merge_adapter(models / "products", tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["models"]


def test_a_model_that_was_trained_in_full_has_nothing_to_merge(base, vocabulary, tmp_path: Path) -> None:
    config = ProductsTraining(base_model=str(base.folder), adaptation="full", quantize="none")
    with bundle.writing(tmp_path / "products") as scratch:
        write_bundle(scratch, base.load_model(), base, config, Shortlist.untrained(vocabulary), UNFITTED)
    with pytest.raises(UsageError, match="no adapter to merge"):
        merge.merge_adapter(tmp_path / "products", tmp_path / "merged")
