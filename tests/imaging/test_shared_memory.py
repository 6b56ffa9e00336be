"""Memory shared with a guarded child: what it may do there, and what it is not believed."""

import mmap
import os

import numpy as np
import pytest

from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.guarded_decoding import bytes_of_image, loaded_image
from meteo_ray.imaging.guarded_process import ChildLost, GuardedProcess, Returned
from meteo_ray.imaging.load import load_image
from meteo_ray.imaging.shared_memory import SharedMemory, opened
from tests.imaging.files import chart, encoded

SIZE = (64, 48)
LOAD = "meteo_ray.imaging.load:load_image"
LIE = "tests.imaging.sharing_liar:lie"


@pytest.fixture
def memory():
    memory = SharedMemory(100)
    yield memory
    memory.close()


def test_what_one_side_writes_the_other_reads(memory):
    there = opened(memory.descriptor)
    there[:5] = b"chart"
    assert bytes(memory.first(5)) == b"chart"
    assert opened(-1) is None


def test_nobody_can_make_it_smaller_under_its_reader(memory):
    for size in (10, 1000):
        with pytest.raises(PermissionError):
            os.ftruncate(memory.descriptor, size)


@pytest.mark.parametrize("count", [101, -1, 1.0, True, "9", None])
def test_no_more_is_read_than_there_is(memory, count):
    with pytest.raises(ValueError, match="shared bytes"):
        memory.first(count)


def test_the_parents_side_cannot_be_written(memory):
    with pytest.raises(TypeError):
        memory.first(5)[0] = 1
    with pytest.raises((ValueError, TypeError)):
        mmap.mmap(memory.descriptor, 1000)


@pytest.mark.parametrize("shared", [bytes_of_image(SIZE), 0, 10], ids=["in memory", "by message", "no room for it"])
def test_pixels_are_those_of_the_file_however_they_travel(tmp_path, shared):
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for seed, path in enumerate(paths):
        path.write_bytes(encoded(chart((200 + 10 * seed, 150)), "PNG"))
    with GuardedProcess(2**30, LOAD, shared_bytes=shared) as process:
        found = [loaded_image(process.call(LOAD, 20.0, path=str(path), size=SIZE), SIZE) for path in paths]
    for path, image in zip(paths, found, strict=True):  # the first one outlives the second call
        np.testing.assert_array_equal(image.pixels, load_image(path, SIZE).pixels)


@pytest.mark.parametrize("name", ["too many", "too few", "no number"])
def test_a_child_that_lies_about_shared_bytes_is_not_believed(name):
    with (
        GuardedProcess(2**30, LIE, shared_bytes=bytes_of_image(SIZE)) as process,
        pytest.raises((ChildLost, DecodeFailure)),
    ):
        loaded_image(process.call(LIE, 5.0, name=name), SIZE)


ABOUT = {"sha256": "a" * 64, "width": 9, "height": 9, "format": "PNG", "n_frames": 1, "shape": [48, 64, 3]}


@pytest.mark.parametrize(
    "lie",
    [
        {"shape": 5},
        {"shape": [48.0, 64, 3]},
        {"pixels": 1},
        {"unheard-of": 1},
        {"width": 2**40},
        {"height": -1},
        {"n_frames": True},
        {"width": "wide"},
        {"format": ["PNG"]},
        {"format": "\ud800"},
        {"sha256": None},
    ],
    ids=str,
)
def test_nonsense_about_a_file_costs_its_child_and_not_its_reader(lie):
    payload = bytes(48 * 64 * 3)
    assert loaded_image(Returned(ABOUT, payload), SIZE).width == 9
    with pytest.raises(ChildLost):
        loaded_image(Returned({**ABOUT, **lie}, payload), SIZE)


def test_brackets_without_end_are_no_answer():
    with GuardedProcess(2**30, LIE) as process, pytest.raises(ChildLost, match="nonsense"):
        process.call(LIE, 5.0, name="brackets")
