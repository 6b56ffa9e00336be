"""Paths become the same pixels with and without the cache, and the cache never answers for anything else."""

import hashlib
import json
import os
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from meteo_ray.batch import Batch
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.imaging.load import load_image
from meteo_ray.streaming import pixels as pixels_module
from meteo_ray.streaming import unchanged
from meteo_ray.streaming.image_store import ImageStore
from meteo_ray.streaming.pixels import PreparePixels
from tests.imaging.files import small_print
from tests.pictures import picture_index

# Every part that needs no logo, on every image.
ALWAYS = AugmentConfig(crop_share=1.0, title_share=1.0, noise_share=1.0, artefacts_share=1.0)
SOMETIMES = AugmentConfig(crop_share=0.2, title_share=0.2, noise_share=0.2, artefacts_share=0.2)
OFF = AugmentConfig(enabled=False)
SIZE = (80, 60)


@pytest.fixture
def batch(tmp_path) -> Batch:
    """The rows of six images in `tmp_path`/data."""
    index = picture_index(tmp_path / "data", per_split=1)
    names = ("path", "sha256", "image_id", "product")
    return {name: np.array(index[name].to_pylist(), dtype=object) for name in names}


@pytest.fixture
def prepare(tmp_path):
    """PreparePixels of that folder with a cache beside it; keywords replace what is usual."""

    def build(**changes) -> PreparePixels:
        usual = {
            "seed": 3,
            "epoch": None,
            "augmentation": ALWAYS,
            "cache": ImageStore(tmp_path / "cache"),
            "size": SIZE,
        }
        return PreparePixels(tmp_path / "data", **{**usual, **changes})

    return build


@pytest.fixture
def fitted(monkeypatch) -> list[tuple[int, int]]:
    """The size of every image that was scaled to the network's input."""
    found, fit = [], pixels_module.fit
    monkeypatch.setattr(pixels_module, "fit", lambda image, size: found.append(image.size) or fit(image, size))
    return found


def remove_originals(folder) -> None:
    for path in (folder / "data" / "images").iterdir():
        path.unlink()


def cached(folder) -> set[str]:
    """Keys of what is kept."""
    found = set()
    for path in (folder / "cache").rglob("*.sqlite"):
        with closing(sqlite3.connect(path)) as table:
            found |= {key for (key,) in table.execute("SELECT key FROM images")}
    return found


@pytest.mark.parametrize("augmentation", [ALWAYS, OFF, None])
def test_a_second_call_reads_no_original(batch, prepare, tmp_path, augmentation):
    first = prepare(augmentation=augmentation)(batch)
    plain = prepare(augmentation=augmentation, cache=None)(batch)
    remove_originals(tmp_path)
    second = prepare(augmentation=augmentation)(batch)
    assert first["ok"].all()
    assert second["ok"].all()
    for found in (second, plain):
        np.testing.assert_array_equal(found["image"], first["image"])
        assert found["augmented"].tolist() == first["augmented"].tolist()
    assert not prepare(augmentation=augmentation, cache=None)(batch)["ok"].any()


def test_nothing_is_made_for_a_cache_that_takes_no_more(batch, prepare, tmp_path, fitted):
    full = ImageStore(tmp_path / "full", most_gb=0)
    found, plain = (prepare(epoch=1, size=(16, 12), cache=cache)(batch) for cache in (full, None))
    np.testing.assert_array_equal(found["image"], plain["image"])
    assert len(fitted) == 2 * len(batch["path"])


def test_pixels_with_and_without_augmentation_differ_as_the_record_says(batch, prepare):
    found, plain = prepare()(batch), prepare(augmentation=OFF)(batch)
    assert all({"crop", "noise", "title", "artefacts"} >= set(json.loads(text)) != set() for text in found["augmented"])
    assert plain["augmented"].tolist() == ["{}"] * 6
    assert all((a != b).any() for a, b in zip(found["image"], plain["image"], strict=True))


@pytest.mark.parametrize("size", [(320, 240), (896, 896)])
@pytest.mark.parametrize("name", ["sheet.png", "sheet.jpg"])
@pytest.mark.parametrize("epoch", [0, None])
def test_what_no_part_alters_has_the_pixels_of_an_archive(tmp_path, size, name, epoch):
    """Bit for bit, whatever the size of sheet and input; a JPEG's decoder reduces this one for the small input."""
    small_print().save(tmp_path / name)
    nothing = AugmentConfig(**{f"{part}_share": 0.0 for part in ("crop", "logo", "title", "noise", "artefacts")})
    sha256 = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    row = {"path": name, "sha256": sha256, "image_id": "5", "product": "24h_cn_2m_max_wind"}
    prepare = PreparePixels(tmp_path, seed=0, epoch=epoch, augmentation=nothing, size=size)
    found = prepare({key: np.array([value], dtype=object) for key, value in row.items()})
    assert found["augmented"].tolist() == ["{}"]
    np.testing.assert_array_equal(found["image"][0], load_image(tmp_path / name, size).pixels)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 4},
        {"size": (64, 48)},
        {"augmentation": OFF},
        {"augmentation": ALWAYS.model_copy(update={"noise_levels": (1.0, 2.0)})},
    ],
)
def test_other_settings_have_other_entries(batch, prepare, tmp_path, changes):
    prepare()(batch)
    before = cached(tmp_path)
    assert len(before) == len(batch["path"])
    np.testing.assert_array_equal(prepare(**changes)(batch)["image"], prepare(**changes, cache=None)(batch)["image"])
    assert len(cached(tmp_path) - before) == len(batch["path"])


def test_changed_preprocessing_augmentation_and_logos_have_other_entries(batch, prepare, tmp_path, monkeypatch):
    prepare()(batch)
    before = cached(tmp_path)
    for count, version in enumerate(("PREPROCESSING_VERSION", "AUGMENTATION_VERSION"), start=2):
        with monkeypatch.context() as patch:
            patch.setattr(pixels_module, version, getattr(pixels_module, version) + 1)
            prepare()(batch)
        assert len(cached(tmp_path)) == count * len(before)
    (tmp_path / "data" / "logos").mkdir()
    Image.new("RGBA", (20, 20), "red").save(tmp_path / "data" / "logos" / "logo.png")
    for by_process in (pixels_module._ingredients, pixels_module._augmentation):
        by_process.cache_clear()  # a new job is a new process
    prepare()(batch)
    assert len(cached(tmp_path)) == 4 * len(before)


def test_epochs_share_what_is_equal_in_them(batch, prepare, tmp_path):
    """Altered ones their working images, others their pixels; the pixels are those without a cache."""
    for epoch in (0, 1, 0):
        for augmentation in (ALWAYS, SOMETIMES, OFF):
            plain = prepare(epoch=epoch, augmentation=augmentation, cache=None)(batch)
            found = prepare(epoch=epoch, augmentation=augmentation)(batch)
            np.testing.assert_array_equal(found["image"], plain["image"])
            assert found["augmented"].tolist() == plain["augmented"].tolist()
        working_images_and_pixels = 2 * len(batch["path"])
        assert len(cached(tmp_path)) == working_images_and_pixels


@pytest.mark.parametrize("name", ["sheet.png", "sheet.jpg"])
@pytest.mark.parametrize("size", [(80, 60), (320, 240), (896, 896)])
def test_training_on_large_sheets_is_the_same_with_and_without_a_cache(tmp_path, name, size):
    """Sheets that the working size shrinks and sheets that it does not, altered by some parts or by none."""
    small_print().save(tmp_path / name)
    sha256 = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    rows = 12
    batch = {
        "path": [name] * rows,
        "sha256": [sha256] * rows,
        "image_id": [f"{row:x}" for row in range(rows)],
        "product": [None] * rows,
    }
    batch = {key: np.array(column, dtype=object) for key, column in batch.items()}
    for epoch in (0, 1):
        made = [
            PreparePixels(tmp_path, 5, epoch, SOMETIMES, cache, size)(batch)
            for cache in (None, ImageStore(tmp_path / "cache"))
        ]
        np.testing.assert_array_equal(made[1]["image"], made[0]["image"])
        assert made[1]["augmented"].tolist() == made[0]["augmented"].tolist()
        assert 0 < sum(text == "{}" for text in made[0]["augmented"]) < rows


def test_later_epochs_decode_nothing(batch, prepare, monkeypatch):
    prepare(epoch=0, augmentation=SOMETIMES)(batch)
    monkeypatch.setattr(pixels_module, "decode", None)
    monkeypatch.setattr(pixels_module, "load_bytes", None)
    assert all(prepare(epoch=epoch, augmentation=SOMETIMES)(batch)["ok"].all() for epoch in range(1, 8))


def test_a_file_that_changes_between_epochs_is_noticed(batch, prepare, tmp_path):
    """Though its working image is kept; and so is one that keeps its size and gets its old time back."""
    prepare(epoch=0)(batch)
    changed, gone, alike = (tmp_path / "data" / batch["path"][row] for row in (1, 2, 4))
    Image.new("RGB", SIZE, "red").save(changed)
    gone.unlink()
    status, content = alike.stat(), alike.read_bytes()
    alike.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(alike, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert prepare(epoch=1)(batch)["ok"].tolist() == [True, False, False, True, False, True]
    unchanged._seen.clear()  # a new process
    assert prepare(epoch=1)(batch)["ok"].tolist() == [True, False, False, True, False, True]


def test_each_process_reads_a_file_once(batch, prepare, monkeypatch):
    prepare(epoch=0)(batch)
    unchanged._seen.clear()
    read, reads = unchanged.read_bytes, []
    monkeypatch.setattr(unchanged, "read_bytes", lambda path: reads.append(path) or read(path))
    for epoch in (1, 2, 3):
        prepare(epoch=epoch)(batch)
    assert len(reads) == len(set(reads)) == len(batch["path"])


def test_an_entry_of_another_size_is_not_taken(batch, prepare):
    """Whoever wrote it."""
    expected = prepare()(batch)["image"]
    for row in range(len(batch["path"])):
        key = prepare().identity(batch["sha256"][row], batch["image_id"][row], batch["product"][row])
        prepare().cache.put(key, np.zeros((7, 9, 3), dtype=np.uint8), {})
    np.testing.assert_array_equal(prepare()(batch)["image"], expected)


def test_a_file_that_changed_since_it_was_indexed_is_not_ok(batch, prepare, tmp_path):
    Image.new("RGB", SIZE, "red").save(tmp_path / "data" / batch["path"][2])
    found = prepare()(batch)
    assert found["ok"].tolist() == [True, True, False, True, True, True]
    assert not found["image"][2].any()
    assert len(cached(tmp_path)) == 5


TITLED = AugmentConfig(crop_share=0.0, title_share=1.0, title_own_share=1.0)


def whose(batch: Batch) -> list[str]:
    """Whose name the titles of the batch's charts carry, by the records."""
    charts = [product is not None for product in batch["product"]]
    assert any(charts)
    return [json.loads(text)["title"]["whose"] for text, chart in zip(batch["augmented"], charts, strict=True) if chart]


def test_the_products_name_is_drawn_in_training_and_where_it_is_asked_for(batch, prepare):
    """On an image that is judged it would tell the answer."""
    assert set(whose(prepare(epoch=0, augmentation=TITLED)(batch))) == {"own"}
    assert set(whose(prepare(epoch=None, augmentation=TITLED)(batch))) == {"other"}
    assert set(whose(prepare(epoch=None, augmentation=TITLED, title_own_share=1.0)(batch))) == {"own"}
    product = prepare().vocabulary.product_by_id["24h_cn_2m_max_wind"].zh
    others = prepare(epoch=None, augmentation=TITLED)(batch)["augmented"][batch["product"] != None]  # noqa: E711
    assert not any(product in json.loads(text)["title"]["text"] for text in others)


def test_images_under_another_title_have_other_entries(batch, prepare, tmp_path):
    """Own and other titles on the fixed draw do not stand for each other."""
    plain, told = (prepare(augmentation=TITLED, title_own_share=share) for share in (None, 1.0))
    first = plain(batch)["image"]
    assert (told(batch)["image"] != first).any()
    assert len(cached(tmp_path)) == 2 * len(batch["path"])
    np.testing.assert_array_equal(plain(batch)["image"], first)
