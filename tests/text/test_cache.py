"""What was read is read again from the file, whatever state that is in."""

import multiprocessing
import sqlite3
from pathlib import Path

import pytest

from meteo_ray.text.cache import TextCache, reading_version
from meteo_ray.text.config import TextSettings
from meteo_ray.text.lines import TextLine

LINES = (TextLine("500 hPa 高度场", 0.1, 0.02, 0.9, 0.06, 0.98), TextLine('"24"', 0.0, 0.9, 0.1, 1.0, 0.7))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "texts.sqlite"


def kept_by_another(place: Path, contents: range) -> None:
    with TextCache(place, "a") as cache:
        for content in contents:
            cache.put(str(content), LINES)


def test_a_later_run_finds_what_was_read(place):
    with TextCache(place, "a") as cache:
        assert cache.get("1") is None
        cache.put("1", LINES)
        cache.put("2", ())
    with TextCache(place, "a") as cache:
        assert cache.get("1") == LINES
        assert cache.get("2") == ()  # nothing stands there, which is known


def test_what_was_read_otherwise_stays_unseen(place):
    with TextCache(place, "a") as cache:
        cache.put("1", LINES)
    with TextCache(place, "b") as cache:
        assert cache.get("1") is None


def test_the_reading_changes_with_mode_and_score():
    versions = {
        reading_version(TextSettings(mode="title")),
        reading_version(TextSettings(mode="page")),
        reading_version(TextSettings(mode="page", minimum_score=0.7)),
    }
    assert len(versions) == 3
    assert reading_version(TextSettings(mode="page", seconds=5)) in versions


def test_several_processes_keep_texts_at_once(place):
    parts = [range(start, start + 20) for start in (0, 20)]
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=kept_by_another, args=(place, part)) for part in parts]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    with TextCache(place, "a") as cache:
        assert all(cache.get(str(content)) == LINES for part in parts for content in part)


@pytest.mark.parametrize("damage", [b"not a database" * 100, b""], ids=["nonsense", "emptied"])
def test_a_damaged_file_is_begun_anew(place, damage):
    with TextCache(place, "a") as cache:
        cache.put("1", LINES)
    place.write_bytes(damage)
    with TextCache(place, "a") as cache:
        assert cache.get("1") is None
        cache.put("1", LINES)
        assert cache.get("1") == LINES


def test_a_file_that_is_damaged_during_the_run_is_begun_anew(place):
    with TextCache(place, "a") as cache:
        for content in range(80):
            cache.put(str(content), LINES)
        pages = place.read_bytes()
        place.write_bytes(pages[:4096] + b"\xff" * (len(pages) - 4096))
        with TextCache(place, "a") as other:
            assert other.get("1") is None
            other.put("1", LINES)
            assert other.get("1") == LINES


def test_damaged_lines_are_read_anew(place):
    with TextCache(place, "a") as cache:
        cache.put("1", LINES)
        with sqlite3.connect(place) as table:
            table.execute("UPDATE texts SET lines = '[{]'")
        table.close()
        assert cache.get("1") is None


def test_where_no_file_can_be_kept_every_image_is_read(tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "texts.sqlite", tmp_path):
        with TextCache(place, "a") as cache:
            cache.put("1", LINES)
            assert cache.get("1") is None
