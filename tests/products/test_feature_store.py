"""The vision tower's output kept on disk: the same loss with and without, run once an image, bounded, resumable."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from meteo_ray.errors import UsageError
from meteo_ray.imaging.augment_config import UNALTERED, AugmentConfig
from meteo_ray.products import feature_store
from meteo_ray.products import task as task_module
from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.config import ProductsTraining, TrainProductsJob
from meteo_ray.products.feature_store import FeatureStore
from meteo_ray.products.image_features import vision_parts
from meteo_ray.products.stage import PRODUCTS
from meteo_ray.products.task import ProductsTask
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.streaming.stream import stream
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.training.loop import TrainingRun
from tests.training.line_task import FolderHost

from .test_task import begun, prepared, train, validation_outputs

# The sixteen images of the fixture differ in nothing but this many colours; equal bytes are one image.
COLOURS = 4


def task_of(base_folder: Path, inputs: TaskInputs, cache: Path, **settings: object) -> ProductsTask:
    config = ProductsTraining(
        base_model=str(base_folder),
        quantize="none",
        lora_dropout=0.0,
        learning_rate=1e-2,
        **{"stored_draws": 2, "augmentation": AugmentConfig(), **settings},
    )
    return begun(ProductsTask(config, replace(inputs, cache=cache)))


def tower_runs(model: torch.nn.Module) -> list[int]:
    """Grows by the rows of each pass of the tower."""
    runs: list[int] = []
    vision_parts(model)[1].register_forward_hook(lambda _, __, output: runs.append(len(output)))
    return runs


@pytest.mark.parametrize(("use_gpu", "dtype"), [(None, torch.bfloat16), (False, torch.float32)])
def test_a_gpu_that_the_settings_leave_alone_is_left_alone(
    use_gpu, dtype, base_folder, inputs, tmp_path, monkeypatch
) -> None:
    """Ray hides no GPU from a worker that asked for none."""
    loaded_on: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(task_module, "training_model", lambda base, config, device, seed: loaded_on.append(device))
    job = TrainProductsJob(
        products=ProductsTraining(base_model=str(base_folder), stored_draws=2), training={"use_gpu": use_gpu}
    )
    task = PRODUCTS.make_task(job, replace(inputs, cache=tmp_path))
    task.build()
    assert loaded_on == ["cuda" if use_gpu is None else "cpu"]
    assert task._store.dtype == dtype


def test_stored_features_give_the_loss_of_the_pixels(base_folder, answered_inputs, tmp_path) -> None:
    model = task_of(base_folder, answered_inputs, tmp_path).build()
    runs = tower_runs(model)
    for split, rows in ((TRAIN, 8), (VALIDATION, 6)):
        stored = task_of(base_folder, answered_inputs, tmp_path / split)
        first = prepared(stored, split)
        assert not first["stored"].any()
        runs.clear()
        with torch.no_grad():
            expected = stored._log_likelihoods(model, stored.collate(first))
        assert runs == [rows]
        again = prepared(stored, split)
        assert again["stored"].all()
        assert again["ok"].all()
        assert not again["image"].any()  # nothing was decoded
        assert again["question"].tolist() == first["question"].tolist()
        with torch.no_grad():
            found = stored._log_likelihoods(model, stored.collate(again))
            plain = task_of(base_folder, answered_inputs, tmp_path, stored_draws=0)
            pixels = {name: column for name, column in first.items() if name not in ("feature_key", "stored")}
            assert torch.allclose(plain._log_likelihoods(model, plain.collate(pixels)), expected, atol=1e-5)
        assert runs == [rows, rows]  # the second is the plain task's
        assert torch.allclose(found, expected, atol=1e-5)


def test_training_learns_the_same_with_and_without(base_folder, answered_inputs, tmp_path) -> None:
    """Without augmentation the images are the same in every epoch, so the losses must be."""
    plain_images = {"augmentation": AugmentConfig(enabled=False)}
    losses = {}
    for draws in (0, 3):
        task = task_of(base_folder, answered_inputs, tmp_path, stored_draws=draws, **plain_images)
        model = task.build()
        losses[draws] = []
        for epoch in range(3):
            batch = task.collate(prepared(task, TRAIN, epoch))
            assert ("image" in batch) == (draws == 0 or epoch == 0)
            losses[draws] += train(task, model, batch, steps=2)
    assert losses[3] == pytest.approx(losses[0], abs=1e-5)


def test_the_loop_runs_the_tower_once_an_image(
    base_folder, answered_inputs, tmp_path, ray_session, monkeypatch
) -> None:
    """The one training loop over Ray's stream, and a second training beside it that finds everything stored."""
    runs: list[int] = []
    plain = feature_store.image_features

    def counted(model, base, images):
        runs.append(len(images))
        return plain(model, base, images)

    monkeypatch.setattr(feature_store, "image_features", counted)
    settings = LoopSettings(batch_size=4, micro_batch=2, patience=0, precision="fp32", torch_threads=1)
    histories = []
    for name in ("first", "second"):
        task = task_of(base_folder, answered_inputs, tmp_path, augmentation=UNALTERED, epochs=2)
        host = FolderHost(tmp_path / name / "checkpoints")
        finished = TrainingRun(
            task, task.inputs.index, settings, tmp_path / name, host, stream, torch.device("cpu")
        ).fit()
        histories.append([entry["train/loss"] for entry in finished.history])
    # Equal bytes are one image: of eight rows at most two of each colour are asked for before the first is stored.
    assert COLOURS <= sum(runs) <= 8 + 6
    assert histories[1] == pytest.approx(histories[0], abs=1e-5)
    assert len(list((tmp_path / "features").rglob("*.safetensors"))) == COLOURS


def test_epochs_take_turns_among_the_draws(base_folder, answered_inputs, tmp_path) -> None:
    task = task_of(base_folder, answered_inputs, tmp_path)
    model = task.build()
    keys = []
    for epoch in range(6):
        batch = prepared(task, TRAIN, epoch)
        keys.append(batch["feature_key"].tolist())
        assert batch["stored"].all() == (epoch >= 3)
        with torch.no_grad():
            task._log_likelihoods(model, task.collate(batch))
    assert keys[:3] == keys[3:]
    assert all(len(set(kinds)) == 3 for kinds in zip(*keys[:3], strict=True))
    assert len(set().union(*keys[:3])) == 2 * 8 + COLOURS


def test_what_is_missing_is_computed_and_what_is_damaged_too(base_folder, answered_inputs, tmp_path) -> None:
    task = task_of(base_folder, answered_inputs, tmp_path)
    model = task.build().eval()
    outputs = validation_outputs(task, model, prepared(task, VALIDATION))
    files = sorted((tmp_path / "features").rglob("*.safetensors"))
    keys = prepared(task, VALIDATION)["feature_key"].tolist()
    assert {f"{file.parent.name}{file.stem}" for file in files} == set(keys)
    files[0].unlink()
    files[1].write_bytes(files[1].read_bytes()[:40])
    files[2].write_bytes(b"")
    spoilt = {f"{file.parent.name}{file.stem}" for file in files[:3]}
    batch = prepared(task, VALIDATION)
    assert batch["stored"].tolist() == [key not in spoilt for key in keys]
    runs = tower_runs(model)
    again = validation_outputs(task, model, batch)
    assert runs == [sum(key in spoilt for key in keys)]
    assert np.allclose(again["log_likelihood"], outputs["log_likelihood"], atol=1e-5)
    assert prepared(task, VALIDATION)["stored"].all()
    assert not list(tmp_path.rglob("*.tmp"))


def test_other_weights_images_and_settings_have_features_of_their_own(
    base_folder, base, answered_inputs, tmp_path
) -> None:
    def keys(task: ProductsTask, epoch: int = 1) -> set[str]:
        return set(prepared(task, TRAIN, epoch)["feature_key"])

    task = task_of(base_folder, answered_inputs, tmp_path)
    first = keys(task)
    assert keys(task_of(base_folder, answered_inputs, tmp_path)) == first
    other = task_of(base_folder, answered_inputs, tmp_path, augmentation=AugmentConfig(noise_share=0.123))
    assert 0 < len(keys(other) & first) < 8  # images as they are remain the same
    store = FeatureStore.of(base, "cpu", tmp_path)
    assert store.key("a") != store.key("b")
    assert store.key("a") != FeatureStore.of(base, "cuda:0", tmp_path).key("a")
    assert FeatureStore.of(base, "cuda:0", tmp_path).bytes_each * 2 == store.bytes_each


def test_bfloat16_is_kept_as_it_is(base: GemmaBase, tmp_path) -> None:
    store = FeatureStore.of(base, "cuda:0", tmp_path)
    features = torch.randn(2, *store.shape).bfloat16()
    store.write(["a" * 64, "b" * 64], features)
    assert torch.equal(torch.stack([store.read("a" * 64), store.read("b" * 64)]), features)


def as_they_are(task: ProductsTask) -> set[str]:
    """Keys of the training images without augmentation."""
    still = ProductsTask(task.config.model_copy(update={"augmentation": UNALTERED}), task.inputs)
    return set(prepared(still, TRAIN)["feature_key"])


def test_too_little_room_is_said_before_anything_starts(base_folder, answered_inputs, tmp_path, monkeypatch) -> None:
    each = FeatureStore.of(GemmaBase.open(base_folder), "cpu", tmp_path).bytes_each
    task = task_of(base_folder, answered_inputs, tmp_path)
    validation = set(prepared(task, VALIDATION)["feature_key"])
    # Each training image in two draws and as it is.
    needed = (8 * 2 + len(validation | as_they_are(task))) * each
    enough = task_of(base_folder, answered_inputs, tmp_path, stored_gb=needed / 1e9)
    assert enough.rows(answered_inputs.index, TRAIN).num_rows == 8
    with pytest.raises(UsageError, match=r"more than the .* GB of --products.stored-gb"):
        task_of(base_folder, answered_inputs, tmp_path, stored_gb=(needed - 1) / 1e9)
    monkeypatch.setattr(feature_store.shutil, "disk_usage", lambda _: type("Usage", (), {"free": needed - 1}))
    with pytest.raises(UsageError, match="are free: name another --cache"):
        enough.rows(answered_inputs.index, TRAIN)


def test_a_full_disk_is_one_message_and_leaves_no_scrap(base: GemmaBase, tmp_path, monkeypatch) -> None:
    store = FeatureStore.of(base, "cpu", tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(feature_store.os, "fsync", full)
    with pytest.raises(UsageError, match=r"cannot keep image features.*No space left.*--products.stored-draws 0"):
        store.write(["a" * 64], torch.zeros(1, *store.shape))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_tower_that_is_trained_cannot_be_stored() -> None:
    with pytest.raises(ValidationError, match="set stored_draws to 0"):
        ProductsTraining(adaptation="full", quantize="none", stored_draws=1)
