"""Model bundles: whole or not there, and every damage named before anything is loaded."""

import json

import pytest
import torch
from safetensors.torch import save_file

from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.files import write_json
from meteo_ray.vocabulary import Vocabulary, load_vocabulary


def write(folder, value: float = 1.0) -> None:
    with bundle.writing(folder) as scratch:
        save_file({"weight": torch.full((4,), value)}, scratch / bundle.WEIGHTS)
        write_json(scratch / bundle.CONFIG, {"stage": "gate", "bundle_version": bundle.BUNDLE_VERSION})
        (scratch / bundle.LABELS).write_text(load_vocabulary().to_yaml(), "utf-8")


def test_a_bundle_reads_back_and_its_version_follows_its_content(tmp_path):
    write(tmp_path / "gate")
    version = bundle.check(tmp_path / "gate", "gate")
    assert torch.equal(bundle.read_weights(tmp_path / "gate")["weight"], torch.ones(4))
    assert bundle.read_labels(tmp_path / "gate", load_vocabulary()) == load_vocabulary()
    write(tmp_path / "gate", 2.0)
    assert bundle.check(tmp_path / "gate", "gate") != version
    assert [path.name for path in tmp_path.iterdir()] == ["gate"]


def test_an_interrupted_write_leaves_the_old_one(tmp_path):
    write(tmp_path / "gate")
    with pytest.raises(FileNotFoundError), bundle.writing(tmp_path / "gate") as scratch:
        (scratch / bundle.WEIGHTS).write_bytes((tmp_path / "absent").read_bytes())
    assert torch.equal(bundle.read_weights(tmp_path / "gate")["weight"], torch.ones(4))
    assert [path.name for path in tmp_path.iterdir()] == ["gate"]


def test_one_flipped_bit_is_found(tmp_path):
    write(tmp_path / "gate")
    path = tmp_path / "gate" / bundle.WEIGHTS
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"weights\.safetensors: damaged"):
        bundle.check(tmp_path / "gate", "gate")


def test_absence_says_which_job_makes_it(tmp_path):
    with pytest.raises(UsageError, match=r"jobs/train_gate\.py"):
        bundle.check(tmp_path / "gate", "gate")
    write(tmp_path / "gate")
    (tmp_path / "gate" / bundle.LABELS).unlink()
    with pytest.raises(UsageError, match=r"labels\.yaml: missing"):
        bundle.check(tmp_path / "gate", "gate")


def test_other_stage_newer_version_and_broken_json(tmp_path):
    write(tmp_path / "gate")
    with pytest.raises(UsageError, match="wanted 'elements'"):
        bundle.read_config(tmp_path / "gate", "elements")
    path = tmp_path / "gate" / bundle.CONFIG
    path.write_text(json.dumps({"stage": "gate", "bundle_version": 99}))
    with pytest.raises(UsageError, match="newer meteo_ray"):
        bundle.read_config(tmp_path / "gate", "gate")
    path.write_text(json.dumps({"stage": "gate", "bundle_version": bundle.BUNDLE_VERSION - 1}))
    with pytest.raises(UsageError, match=r"earlier meteo_ray .* train it again with jobs/train_gate\.py"):
        bundle.read_config(tmp_path / "gate", "gate")
    path.write_text("{")
    with pytest.raises(UsageError, match="cannot read"):
        bundle.read_config(tmp_path / "gate", "gate")


def test_a_single_file_is_held_to_its_sum(tmp_path):
    write(tmp_path / "gate")
    bundle.check_file(tmp_path / "gate", bundle.CONFIG)
    with pytest.raises(UsageError, match="does not name it"):
        bundle.check_file(tmp_path / "gate", "trees.txt")
    (tmp_path / "gate" / bundle.CONFIG).write_text("{}")
    with pytest.raises(UsageError, match=r"config\.json: damaged"):
        bundle.check_file(tmp_path / "gate", bundle.CONFIG)


def test_weights_that_are_no_numbers_or_no_safetensors(tmp_path):
    write(tmp_path / "gate", float("nan"))
    with pytest.raises(UsageError, match="NaN or infinity"):
        bundle.read_weights(tmp_path / "gate")
    (tmp_path / "gate" / bundle.WEIGHTS).write_bytes(b"\x80\x04pickled")
    with pytest.raises(UsageError, match="cannot read the weights"):
        bundle.read_weights(tmp_path / "gate")


def test_another_label_order_is_refused_with_the_difference(tmp_path):
    write(tmp_path / "gate")
    vocabulary = load_vocabulary()
    turned = Vocabulary(vocabulary.elements[::-1], vocabulary.products)
    with pytest.raises(UsageError, match="position 0: warning in the vocabulary, wind in the model"):
        bundle.read_labels(tmp_path / "gate", turned)
    fewer = Vocabulary(vocabulary.elements[:-1], vocabulary.products)
    with pytest.raises(UsageError, match="only in the model: warning"):
        bundle.read_labels(tmp_path / "gate", fewer)
