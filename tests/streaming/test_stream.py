"""A stream is its rows in order, whoever decodes them and wherever it starts."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from meteo_ray.batch import Batch
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.streaming import stream as streaming
from meteo_ray.streaming.pixels import PreparePixels
from meteo_ray.streaming.stream import stream
from tests.pictures import picture_index

COLUMNS = ["path", "sha256", "image_id", "product"]
BATCH_SIZE = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("stream")


@pytest.fixture(scope="module")
def rows(folder) -> pa.Table:
    """Twenty-four rows in shuffled order; the tenth has no image any more."""
    index = picture_index(folder, per_split=4).select(COLUMNS)
    shuffled = index.take(pa.array(np.random.default_rng(7).permutation(index.num_rows)))
    (folder / shuffled["path"][9].as_py()).unlink()
    return shuffled


@pytest.fixture
def training(folder, monkeypatch) -> PreparePixels:
    """Training pixels of one epoch, in blocks that end within batches."""
    monkeypatch.setattr(streaming, "BLOCK_ROWS", 3)
    return PreparePixels(folder, seed=11, epoch=2, augmentation=AugmentConfig(), size=(80, 60))


def assert_equal_batches(found: list[Batch], expected: list[Batch]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for name in other:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_batches_do_not_depend_on_the_number_of_workers(rows, training, ray_session):
    one, three = (list(stream(rows, training, BATCH_SIZE, workers)) for workers in (1, 3))
    assert_equal_batches(three, one)
    assert len({text for batch in one for text in batch["augmented"]}) > 5  # the pixels were drawn, not just decoded
    assert np.concatenate([batch["path"] for batch in one]).tolist() == [
        path for row, path in enumerate(rows["path"].to_pylist()) if row != 9
    ]


def test_a_stream_goes_on_at_any_batch(rows, training, ray_session):
    whole = list(stream(rows, training, BATCH_SIZE, 2))
    assert [len(batch["path"]) for batch in whole] == [5, 4, 5, 5, 4]
    for start in (1, 2, 4):
        assert_equal_batches(list(stream(rows, training, BATCH_SIZE, 2, start_batch=start)), whole[start:])
    assert list(stream(rows, training, BATCH_SIZE, 2, start_batch=5)) == []
    assert list(stream(rows.slice(0, 0), training, BATCH_SIZE, 2)) == []


def test_failed_rows_stay_where_they_are_asked_for(rows, training, ray_session):
    batches = list(stream(rows, training, BATCH_SIZE, 2, drop_failed=False, start_batch=1))
    assert [len(batch["path"]) for batch in batches] == [5, 5, 5, 4]
    assert batches[0]["ok"].tolist() == [True, True, True, True, False]
