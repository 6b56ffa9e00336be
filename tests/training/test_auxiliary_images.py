"""Rows of another folder: how many, what they weigh, where their pixels come from; and that runs know them."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pytest

from meteo_ray.errors import UsageError
from meteo_ray.gate.config import GateTraining
from meteo_ray.gate.rows import gate_rows
from meteo_ray.gate.task import GateTask
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.training.auxiliary_images import auxiliary_rows
from meteo_ray.training.config import AuxiliaryImages
from meteo_ray.vocabulary import load_vocabulary
from tests.pictures import picture_index, row_batch, write_index


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    own, other = tmp_path_factory.mktemp("own"), tmp_path_factory.mktemp("other")
    index = picture_index(own)
    write_index(other, with_weight(picture_index(other, seed=1), "images/train_0.png", 0.5))
    return own, other, index


def with_weight(index: pa.Table, path: str, weight: float) -> pa.Table:
    rows = index.to_pylist()
    for row in rows:
        if row["path"] == path:
            row["extra"] = json.dumps({**json.loads(row["extra"]), "weight": weight})
    return pa.Table.from_pylist(rows, schema=index.schema)


def known(index: pa.Table) -> pa.Table:
    return gate_rows(index, TRAIN, skip_ambiguous=False)


def task_with(own, other, **auxiliary) -> GateTask:
    config = GateTraining(
        init="none",
        kind_weight=0.5,
        augmentation=AugmentConfig(enabled=False),
        auxiliary=AuxiliaryImages(data=other, **auxiliary),
    )
    return GateTask(config, own, load_vocabulary())


def test_they_join_the_training_rows_alone_with_their_weight_and_their_own_pixels(folders):
    own, other, index = folders
    task = task_with(own, other, weight=0.2)
    assert task.rows(index, VALIDATION).num_rows == 23
    rows = task.rows(index, TRAIN)
    weights = dict(zip(rows["path"].to_pylist(), rows["weight"].to_pylist(), strict=True))
    assert len(weights) == 48
    assert weights["images/train_0.png"] == 1.0
    assert weights[str(other / "images/train_0.png")] == pytest.approx(0.1)  # 0.5 in labels.jsonl
    assert weights[str(other / "images/train_1.png")] == pytest.approx(0.2)
    batch = task.prepare(TRAIN, 0)(row_batch(rows))
    assert batch["ok"].all()
    assert not np.array_equal(batch["image"][0], batch["image"][24])  # equal relative paths, other pictures
    drawn = np.concatenate([task.order(rows, epoch, None) for epoch in range(20)])
    assert (drawn >= 24).mean() == pytest.approx(4.7 / 28.7, abs=0.05)  # a chart weighs 0.1, the 23 others 0.2


def test_as_many_as_asked_for_are_chosen_by_the_seed(folders):
    _, other, _ = folders
    config = AuxiliaryImages(data=other, rows=10)
    chosen, other_seed = auxiliary_rows(config, 0, known), auxiliary_rows(config, 1, known)
    assert chosen.num_rows == 10
    assert chosen.equals(auxiliary_rows(config, 0, known))
    assert not chosen.equals(other_seed)
    assert auxiliary_rows(AuxiliaryImages(), 0, known) is None


def test_images_that_the_own_folder_has_too_are_left_out(folders):
    own, _, index = folders
    write_index(own, index)
    assert task_with(own, own).rows(index, TRAIN).num_rows == 24


def test_copies_of_what_validates_and_tests_are_left_out(folders, tmp_path):
    """Saved again they have other bytes, and hashes that a few bits tell apart."""
    own, _, index = folders
    rows = index.to_pylist()
    for number, row in enumerate(rows):
        row["perceptual_hash"] = hashlib.sha256(str(number).encode()).hexdigest()
    hashed = pa.Table.from_pylist(rows, schema=index.schema)
    taken = {row["split"]: row["perceptual_hash"] for row in rows}
    foreign = picture_index(tmp_path, seed=1).to_pylist()
    for row, split in zip(foreign, ("train", "validation", "test"), strict=False):
        row["perceptual_hash"] = f"{int(taken[split], 16) ^ 0b10101:064x}"
    write_index(tmp_path, pa.Table.from_pylist(foreign, schema=index.schema))
    found = task_with(own, tmp_path).rows(hashed, TRAIN)["path"].to_pylist()
    added = [path for path in found if path.startswith(str(tmp_path))]
    assert len(added) == 24 - 2
    assert str(tmp_path / "images/train_0.png") in added  # a copy of a training image counts as one more of them


def test_a_run_is_another_one_when_they_change(folders, tmp_path):
    own, _, _ = folders
    origins = set()
    for seed in (2, 3):
        write_index(tmp_path, picture_index(tmp_path, seed=seed))
        origins.add(task_with(own, tmp_path).origin())
    origins.add(task_with(own, tmp_path, weight=0.3).origin())
    assert len(origins) == 3


def test_a_wrong_weight_is_named_with_its_folder(folders, tmp_path):
    write_index(tmp_path, with_weight(picture_index(tmp_path), "images/train_3.png", -1))
    with pytest.raises(UsageError, match=rf"{tmp_path}/images/train_3\.png: weight must be a positive number"):
        task_with(folders[0], tmp_path)


def test_a_folder_that_is_not_prepared_is_named_before_anything_starts(folders, tmp_path):
    with pytest.raises(UsageError, match=rf"no index here; run: python jobs/prepare_data.py --data {tmp_path}"):
        task_with(folders[0], tmp_path)
