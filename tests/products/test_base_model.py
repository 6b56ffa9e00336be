"""Finding and refusing base models, and the small one that the project makes itself."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from jobs.make_small_base import main
from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.config import ProductsTraining, SmallBase
from meteo_ray.products.prompt import SYSTEM, PromptEncoder
from meteo_ray.products.small_base import make_small_base

from .conftest import TINY


@pytest.mark.parametrize("name", ["google/gemma-3-4b-pt", "/nowhere/gemma", "no such model"])
def test_an_absent_base_model_is_explained_without_the_network(name: str, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UsageError) as caught:
        GemmaBase.open(name)
    for part in ("google/gemma-3-4b-pt", "--products.base-model", "config.json", "tokenizer.json", "model.safetensors"):
        assert part in str(caught.value)


def test_other_models_and_incomplete_folders_are_refused(base_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no config\.json"):
        GemmaBase.open(tmp_path)
    folder = tmp_path / "copy"
    shutil.copytree(base_folder, folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(UsageError, match=r"no model\*\.safetensors"):
        GemmaBase.open(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(UsageError, match="model_type is 'llama'"):
        GemmaBase.open(folder)


def test_damaged_weights_are_refused(base_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(base_folder, folder)
    (folder / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(UsageError, match="cannot load the base model's weights"):
        GemmaBase.open(folder).load_model()


def test_the_same_seed_makes_the_same_base(base_folder: Path, vocabulary, tmp_path: Path) -> None:
    make_small_base(tmp_path / "again", vocabulary, TINY)
    make_small_base(tmp_path / "other", vocabulary, TINY.model_copy(update={"seed": 1}))
    first, again, other = (GemmaBase.open(folder) for folder in (base_folder, tmp_path / "again", tmp_path / "other"))
    assert first.fingerprint() == again.fingerprint()
    assert first.fingerprint()["model.safetensors"] != other.fingerprint()["model.safetensors"]


def test_the_job_writes_a_base_whose_tokenizer_knows_the_vocabulary(vocabulary, tmp_path: Path, capsys) -> None:
    assert main(["--out", str(tmp_path / "base"), "--base.layers", "1", "--base.seed", "7"]) == 0
    base = GemmaBase.open(tmp_path / "base")
    encoder = PromptEncoder(base.processor, vocabulary)
    assert all(len(encoder.encode_answer(product)) == 2 for product in vocabulary.product_ids)
    assert main([]) == 2
    assert "--out FOLDER is required" in capsys.readouterr().err


def test_the_prompt_carries_the_plans_sentences_and_one_image(base: GemmaBase, vocabulary) -> None:
    encoder = PromptEncoder(base.processor, vocabulary)
    text = encoder.prompt(["wind", "pressure"], ["wind_rose", "surface_analysis"])
    assert SYSTEM in text
    assert "已识别要素：风场、气压场 | 候选产品：站点风玫瑰图、地面天气分析图 | 请选择最匹配的产品类型" in text
    assert "已识别要素：无 |" in encoder.prompt([], ["wind_rose"])
    ids = encoder.encode_prompt(["wind", "pressure"], ["wind_rose", "surface_analysis"])
    assert ids.count(base.image_token) == 4
    assert ids[0] == base.processor.tokenizer.bos_token_id
    assert base.processor.tokenizer.decode(ids) == text


def test_pixels_are_scaled_as_the_image_processor_does(base: GemmaBase) -> None:
    images = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    theirs = base.processor.image_processor(list(images.permute(0, 3, 1, 2)), return_tensors="pt")["pixel_values"]
    assert torch.allclose(base.pixel_values(images), theirs, atol=1e-5)


def test_settings_that_contradict_are_refused() -> None:
    with pytest.raises(ValidationError, match="cannot train 4-bit weights"):
        ProductsTraining(adaptation="full")
    with pytest.raises(ValidationError, match="hard_negatives must leave a place"):
        ProductsTraining(candidates=4, hard_negatives=4)
    with pytest.raises(ValidationError, match="whole number"):
        SmallBase(image_size=100)


def test_an_adapter_on_another_base_is_refused(base_folder: Path, vocabulary, tmp_path: Path) -> None:
    from meteo_ray.products.bundle import read_bundle, write_bundle
    from meteo_ray.products.calibration import ProductsCalibration
    from meteo_ray.products.lora_adapter import add_adapter
    from meteo_ray.products.shortlist import Shortlist
    from meteo_ray.products.verdict import ProductsVerdict

    base = GemmaBase.open(base_folder)
    model = base.load_model()
    add_adapter(model, rank=2, alpha=4)
    config = ProductsTraining(base_model=str(base_folder), quantize="none", lora_rank=2, lora_alpha=4)
    with bundle.writing(tmp_path / "products") as scratch:
        calibration = ProductsCalibration(ProductsVerdict.untrained(), 0)
        write_bundle(scratch, model, base, config, Shortlist.untrained(vocabulary), calibration)
    assert read_bundle(tmp_path / "products", "cpu").base is not None
    make_small_base(tmp_path / "other", vocabulary, TINY.model_copy(update={"seed": 1}))
    with pytest.raises(UsageError, match="not the base model that the model"):
        read_bundle(tmp_path / "products", "cpu", base_model=tmp_path / "other")
