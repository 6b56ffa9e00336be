"""A file that cannot be used costs a few attempts and nothing else."""

import sqlite3
from contextlib import closing

from meteo_ray import cache_file
from meteo_ray.cache_file import CacheFile

TABLE = ["CREATE TABLE IF NOT EXISTS numbers (number INTEGER PRIMARY KEY)"]


def test_a_file_that_stays_locked_is_given_up(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(cache_file, "BUSY_TIMEOUT_S", 0.01)
    file = CacheFile(tmp_path / "numbers.sqlite", "numbers", TABLE)
    file.rows("INSERT INTO numbers VALUES (?)", (1,))
    with closing(sqlite3.connect(file.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for _ in range(cache_file.MOST_FAILURES - 1):
            assert file.rows("SELECT number FROM numbers", ()) == []
        other.execute("ROLLBACK")
        assert file.rows("SELECT number FROM numbers", ()) == [(1,)]  # it was a passing trouble
        other.execute("BEGIN EXCLUSIVE")
        for _ in range(cache_file.MOST_FAILURES):
            assert file.rows("SELECT number FROM numbers", ()) == []
    assert file.rows("SELECT number FROM numbers", ()) == []
    assert caplog.text.count("numbers cannot be kept") == 1


def test_what_another_process_has_begun_anew_stays(tmp_path):
    """Both have met the same damage, one after the other."""
    first, second = (CacheFile(tmp_path / "numbers.sqlite", "numbers", TABLE) for _ in range(2))
    first.rows("INSERT INTO numbers VALUES (?)", (1,))
    first.path.write_bytes(b"\xff" * first.path.stat().st_size)
    assert first.rows("SELECT number FROM numbers", ()) == []
    first.rows("INSERT INTO numbers VALUES (?)", (2,))
    assert second.rows("SELECT number FROM numbers", ()) == []
    for file in (first, second, CacheFile(first.path, "numbers", TABLE)):
        assert file.rows("SELECT number FROM numbers", ()) == [(2,)]
