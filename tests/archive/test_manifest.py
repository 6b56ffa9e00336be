"""The manifest: complete or not there, in shards, and what is still pending of it."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.archive.listing import Entry
from meteo_ray.archive.manifest import manifest_rows, shard_files, write_manifest
from meteo_ray.archive.resume import contains, write_pending
from meteo_ray.files import image_id


def entries(count: int) -> Iterator[Entry]:
    for number in range(count):
        path = f"{number:07d}.png"
        yield Entry(image_id(path.encode()), path, number, 1_700_000_000_123_456_789)


def paths(folder: Path) -> list[str]:
    return [path for shard in shard_files(folder) for path in pq.read_table(shard)["path"].to_pylist()]


def test_shards_hold_every_entry_once(tmp_path: Path) -> None:
    assert write_manifest(entries(25), tmp_path / "m", shard_rows=10) == 25
    assert manifest_rows(tmp_path / "m") == 25
    assert len(shard_files(tmp_path / "m")) == 3
    assert paths(tmp_path / "m") == [entry.path for entry in entries(25)]


def test_interrupted_listing_does_not_count_and_is_replaced(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Entry]:
        yield from entries(15)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_manifest(interrupted(), tmp_path / "m", shard_rows=10)
    assert manifest_rows(tmp_path / "m") is None
    write_manifest(entries(3), tmp_path / "m", shard_rows=10)
    assert paths(tmp_path / "m") == [entry.path for entry in entries(3)]


def test_pending_is_what_no_part_holds(tmp_path: Path) -> None:
    write_manifest(entries(30), tmp_path / "m", shard_rows=10)
    done = [entry.image_id for entry in entries(30)][5:22]
    count, _ = write_pending(tmp_path / "m", np.empty(0, dtype=np.uint64), tmp_path / "p", 4)
    assert count == 30
    numbers = np.sort(np.array([int(digits, 16) for digits in done], dtype=np.uint64))
    count, chunks = write_pending(tmp_path / "m", numbers, tmp_path / "p", 4)
    assert count == 13
    everything = [entry.path for entry in entries(30)]
    assert paths(tmp_path / "p") == everything[:5] + everything[22:]
    assert [path for chunk in chunks for path in chunk.read()["path"].to_pylist()] == paths(tmp_path / "p")
    assert max(chunk.read().num_rows for chunk in chunks) == 4


@given(st.lists(st.integers(0, 2**64 - 1)), st.lists(st.integers(0, 2**64 - 1)))
def test_contains_is_set_membership(present: list[int], asked: list[int]) -> None:
    asked = asked + present[:3]
    found = contains(np.sort(np.array(present, dtype=np.uint64)), np.array(asked, dtype=np.uint64))
    assert found.tolist() == [number in set(present) for number in asked]


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    """Fault 27: two hundred thousand entries in shards of a thousand cost no more than a few shards."""
    peaks = []
    for count in (20_000, 200_000):
        tracemalloc.start()
        write_manifest(entries(count), tmp_path / "m", shard_rows=1000)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] + 1_000_000
