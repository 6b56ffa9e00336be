"""What was kept comes back as it was or not at all, whoever writes, and whatever happens to the files."""

import multiprocessing
import sqlite3
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.streaming import image_store
from meteo_ray.streaming.image_store import ImageStore

SHAPE = (6, 9, 3)


def key(number: int) -> str:
    return f"{number:08x}" * 8


def noise(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, SHAPE, dtype=np.uint8)


def forget() -> None:
    """What a process knows of a store; a new job is a new process."""
    for known in (image_store._opened, image_store._room, image_store._tell):
        known.cache_clear()


@pytest.fixture
def store(tmp_path: Path) -> ImageStore:
    forget()
    return ImageStore(tmp_path / "cache")


def filled(store: ImageStore, numbers: range) -> None:
    for number in numbers:
        store.put(key(number), noise(number), {"number": number})


def is_whole(store: ImageStore, number: int) -> bool:
    kept = store.get(key(number))
    if kept is None:
        return False
    np.testing.assert_array_equal(kept[0], noise(number))
    assert kept[1] == {"number": number}
    return True


@given(
    st.integers(1, 40), st.integers(1, 40), st.dictionaries(st.text(max_size=5), st.text() | st.floats(0, 1)), st.data()
)
def test_any_picture_comes_back_bit_by_bit(tmp_path_factory, height, width, record, data):
    store = ImageStore(tmp_path_factory.getbasetemp() / "any")
    flat = data.draw(st.booleans())
    pixels = (
        np.full((height, width, 3), 255, np.uint8) if flat else noise(1).take(range(height * width * 3), mode="wrap")
    )
    pixels = pixels.reshape(height, width, 3)
    store.put(key(7), pixels, record)
    found, told = store.get(key(7))
    np.testing.assert_array_equal(found, pixels)
    assert told == record


def test_keys_that_share_a_row_number_do_not_stand_for_each_other(store):
    first, second = "a" * 64, "a" * 15 + "b" * 49
    store.put(first, noise(1), {})
    assert store.get(second) is None
    store.put(second, noise(2), {})
    assert store.get(first) is None
    np.testing.assert_array_equal(store.get(second)[0], noise(2))


def test_processes_fill_it_at_once(store):
    """All of them the same entries, and some of their own."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=filled, args=(store, range(part * 20, 60 + part * 20))) for part in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert all(is_whole(store, number) for number in range(100))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("while_open", [True, False])
def test_a_file_cut_short_gives_nothing_wrong_and_is_filled_again(store, share, while_open):
    filled(store, range(400))
    if not while_open:
        forget()
    for path in store.folder.glob("*.sqlite"):
        with path.open("r+b") as file:
            file.truncate(int(share * path.stat().st_size))
    assert sum(is_whole(store, number) for number in range(400)) < 400 + while_open  # pages may be remembered
    for _ in range(2):  # the file is begun anew where the damage is met: what was written before is lost with it
        filled(store, range(400))
    assert all(is_whole(store, number) for number in range(400))


@pytest.mark.parametrize("first_byte", [0, 100, 16384, 20000])
def test_a_file_with_foreign_bytes_gives_nothing_wrong_and_is_filled_again(store, first_byte):
    filled(store, range(200))
    forget()
    for path in store.folder.glob("*.sqlite"):
        content = path.read_bytes()
        path.write_bytes(content[:first_byte] + b"\xff" * (len(content) - first_byte))
    assert sum(is_whole(store, number) for number in range(200)) < 200
    for _ in range(2):
        filled(store, range(200))
    assert all(is_whole(store, number) for number in range(200))


@pytest.mark.parametrize(
    ("column", "value"), [("pixels", b"\x00" * 60), ("pixels", "text"), ("height", 12), ("record", '{"number": 4}')]
)
def test_an_entry_that_is_not_what_was_written_is_not_taken(store, column, value):
    filled(store, range(1))
    with sqlite3.connect(next(store.folder.glob("*.sqlite"))) as table:
        table.execute(f"UPDATE images SET {column} = ?", (value,))
    table.close()
    assert store.get(key(0)) is None


def test_it_ends_at_its_budget_and_says_so(tmp_path, monkeypatch, caplog):
    forget()
    monkeypatch.setattr(image_store, "ROOM_INTERVAL_S", 1e-6)
    store = ImageStore(tmp_path, most_gb=1e-3)  # 1 MB: some 30 entries of 33 KB each
    for number in range(100):
        store.put(key(number), np.random.default_rng(number).integers(0, 256, (100, 110, 3), dtype=np.uint8), {})
    assert store.get(key(0)) is not None
    assert store.get(key(99)) is None
    assert sum(path.stat().st_size for path in store.folder.iterdir()) < 1.3e6
    store.tell_if_full()
    assert "--cache-gb" in caplog.text


def test_a_full_disk_is_left_alone(store, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(image_store.shutil, "disk_usage", lambda place: usage(image_store.RESERVED_BYTES))
    filled(store, range(3))
    assert not any(is_whole(store, number) for number in range(3))


def test_where_nothing_can_be_kept_nothing_is(tmp_path, caplog):
    forget()
    (tmp_path / "cache").write_text("a file, no folder")
    store = ImageStore(tmp_path / "cache")
    filled(store, range(3))
    assert not any(is_whole(store, number) for number in range(3))
    store.tell_if_full()
    assert "cannot be written to" in caplog.text.replace("\n", " ")


def test_a_disk_that_fills_up_while_it_is_written_to_stops_nobody(store):
    filled(store, range(3))
    for number in range(3):  # SQLite's own limit stands for the disk's: the same error, "database or disk is full"
        store._file(key(number)).rows("PRAGMA max_page_count = 3", ())
    store.put(key(1), np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8), {})
    assert is_whole(store, 0)
    assert is_whole(store, 2)
