"""Telling base models apart: shards, tokenizer, processor; sums that are kept; runs and bundles know their base."""

import json
import os
import shutil
from pathlib import Path

import pytest
from transformers import Gemma3ForConditionalGeneration

from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.files import read_json, sha256_of, write_json
from meteo_ray.products import base_sums
from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.bundle import read_bundle, write_bundle
from meteo_ray.products.calibration import ProductsCalibration
from meteo_ray.products.config import ProductsTraining
from meteo_ray.products.lora_adapter import add_adapter
from meteo_ray.products.shortlist import Shortlist
from meteo_ray.products.task import ProductsTask
from meteo_ray.products.verdict import ProductsVerdict


@pytest.fixture
def split_base(base_folder: Path, tmp_path: Path) -> Path:
    """The same weights in several files, as Gemma comes."""
    folder = tmp_path / "split"
    shutil.copytree(base_folder, folder)
    (folder / "model.safetensors").unlink()
    Gemma3ForConditionalGeneration.from_pretrained(base_folder).save_pretrained(folder, max_shard_size="60KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 2
    return folder


def change_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def adapter_bundle(folder: Path, base: GemmaBase, vocabulary) -> None:
    model = base.load_model()
    add_adapter(model, rank=2, alpha=4)
    config = ProductsTraining(base_model=str(base.folder), quantize="none", lora_rank=2, lora_alpha=4)
    with bundle.writing(folder) as scratch:
        calibration = ProductsCalibration(ProductsVerdict.untrained(), 0)
        write_bundle(scratch, model, base, config, Shortlist.untrained(vocabulary), calibration)


def test_every_file_that_changes_an_answer_changes_the_fingerprint(split_base: Path) -> None:
    names = set(GemmaBase.open(split_base).fingerprint())
    assert {path.name for path in split_base.glob("model*")} <= names
    assert {"config.json", "tokenizer.json", "tokenizer_config.json", "processor_config.json"} <= names
    first = GemmaBase.open(split_base).digest
    for name in sorted(names):
        path = split_base / name
        before = path.read_bytes()
        path.write_bytes(before + b" ")
        assert base_sums.digest_of(base_sums.base_sums(split_base)) != first, name
        path.write_bytes(before)
    assert GemmaBase.open(split_base).digest == first


def test_an_adapter_is_refused_when_one_shard_is_another(split_base: Path, vocabulary, tmp_path: Path) -> None:
    adapter_bundle(tmp_path / "products", GemmaBase.open(split_base), vocabulary)
    assert read_bundle(tmp_path / "products", "cpu").base is not None
    shard = sorted(split_base.glob("model-*.safetensors"))[-1]
    change_a_byte(shard)
    with pytest.raises(UsageError, match=rf"not the base model that the model .*{shard.name} differs"):
        read_bundle(tmp_path / "products", "cpu")


def test_a_bundle_that_knows_too_few_sums_is_refused_in_words(split_base: Path, vocabulary, tmp_path: Path) -> None:
    folder = tmp_path / "products"
    adapter_bundle(folder, GemmaBase.open(split_base), vocabulary)
    document = read_json(folder / bundle.CONFIG)
    sums = document["base"]["sha256"]
    document["base"]["sha256"] = {name: sums[name] for name in ("config.json", base_sums.INDEX_FILE)}
    write_json(folder / bundle.CONFIG, document)
    lines = (folder / bundle.SUMS).read_text().splitlines()
    fresh = sha256_of(folder / bundle.CONFIG)
    kept = [f"{fresh}  {bundle.CONFIG}" if line.endswith(f"  {bundle.CONFIG}") else line for line in lines]
    (folder / bundle.SUMS).write_text("\n".join(kept) + "\n")
    with pytest.raises(UsageError, match=r"earlier meteo_ray, which did not record which model-0.*train it again"):
        read_bundle(folder, "cpu")


def test_missing_shards_and_a_broken_index_are_named(split_base: Path) -> None:
    shard = sorted(split_base.glob("model-*.safetensors"))[0]
    shard.unlink()
    with pytest.raises(UsageError, match=rf"names files that are not there: {shard.name}"):
        GemmaBase.open(split_base).fingerprint()
    (split_base / base_sums.INDEX_FILE).write_text(json.dumps({"weights": 1}))
    with pytest.raises(UsageError, match="no index of weights"):
        GemmaBase.open(split_base).fingerprint()


def test_a_runs_origin_follows_the_weights_and_not_the_place(base_folder: Path, inputs, tmp_path: Path) -> None:
    def origin(folder: Path) -> str:
        return ProductsTask(ProductsTraining(base_model=str(folder)), inputs).origin()

    copy = tmp_path / "copy"
    shutil.copytree(base_folder, copy)
    assert origin(copy) == origin(base_folder)
    change_a_byte(copy / "model.safetensors")
    assert origin(copy) != origin(base_folder)


def test_a_large_file_is_hashed_once_until_it_changes(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(base_sums, "LARGE", 1)
    hashed = []
    monkeypatch.setattr(base_sums, "sha256_of", lambda path: hashed.append(path) or sha256_of(path))
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    assert base_sums.kept_sha256(file) == sha256_of(file)
    assert base_sums.kept_sha256(file) == sha256_of(file)
    assert len(hashed) == 2  # it was too young to be trusted
    os.utime(file, (1e9, 1e9))
    assert [base_sums.kept_sha256(file) for _ in range(3)] == [sha256_of(file)] * 3
    assert len(hashed) == 3
    file.write_bytes(b"two")
    os.utime(file, (1e9, 1e9))  # size and time as before
    assert base_sums.kept_sha256(file) == sha256_of(file)
    assert len(hashed) == 4


def test_a_cache_that_cannot_be_used_costs_nothing_but_time(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(base_sums, "LARGE", 1)
    (tmp_path / "cache").write_text("a file, no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    os.utime(file, (1e9, 1e9))
    assert [base_sums.kept_sha256(file) for _ in range(2)] == [sha256_of(file)] * 2
    kept = tmp_path / "other" / "meteo_ray" / "sums"
    kept.mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    base_sums._kept_file(file.resolve()).write_text("no JSON")
    assert base_sums.kept_sha256(file) == sha256_of(file)
