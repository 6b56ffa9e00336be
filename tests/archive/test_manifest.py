"""The manifest grows and forgets; what is pending of it is given out until it comes back."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.archive.ids import RECENT_IDS, IdSet, contains, id_numbers
from meteo_ray.archive.inputs import rounds
from meteo_ray.archive.inputs.listing import Entry, entry
from meteo_ray.archive.inputs.listing_thread import Listing
from meteo_ray.archive.inputs.manifest import Manifest
from meteo_ray.archive.inputs.rounds import pending_rounds
from meteo_ray.errors import MachineFault, MeteoRayError


def entries(count: int, start: int = 0) -> Iterator[Entry]:
    for number in range(start, start + count):
        yield entry(f"{number:07d}.png".encode(), number, 1_700_000_000_123_456_789)


def paths(manifest: Manifest) -> list[str]:
    return [path for shard in manifest.shards for path in pq.read_table(shard)["path"].to_pylist()]


class Listed:
    """A source of given entries; an exception among them is raised."""

    def __init__(self, *found: Entry | Exception) -> None:
        self.found = found

    def entries(self) -> Iterator[Entry]:
        for one in self.found:
            if isinstance(one, Exception):
                raise one
            yield one


def test_shards_hold_every_entry_once(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path)
    assert list(manifest.extend(entries(25), shard_rows=10)) == [10, 10, 5]
    assert manifest.rows() == 25
    assert paths(manifest) == [one.path for one in entries(25)]


def test_it_grows_by_what_is_new_and_never_shrinks(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path)
    list(manifest.extend(entries(5)))
    assert list(manifest.extend([*entries(3, start=3), *entries(2, start=3)])) == [1]
    assert list(manifest.extend(entries(6))) == [0]
    assert paths(manifest) == [one.path for one in entries(6)]


def test_what_an_interrupted_listing_has_written_stays(tmp_path: Path) -> None:
    def interrupted() -> Iterator[Entry]:
        yield from entries(15)
        raise MachineFault("cannot be listed to its end")

    manifest = Manifest(tmp_path)
    with pytest.raises(MachineFault):
        list(manifest.extend(interrupted(), shard_rows=10))
    assert manifest.rows() == 15
    list(manifest.extend(entries(15), shard_rows=10))
    assert paths(manifest) == [one.path for one in entries(15)]


def test_what_is_forgotten_is_listed_as_it_is_now(tmp_path: Path) -> None:
    manifest, judged = Manifest(tmp_path), IdSet()
    list(manifest.extend(entries(4), shard_rows=2))
    judged.add(id_numbers(pq.read_table(manifest.shards[0])["image_id"].slice(0, 1)))
    manifest.keep(judged, damaged=pytest.fail)
    assert paths(manifest) == ["0000000.png"]
    list(manifest.extend([entry(b"0000001.png", 99, 1)]))
    assert [row["size"] for row in manifest.find([entry(b"0000001.png").image_id]).values()] == [99]


def test_pending_rounds_give_out_what_has_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "ROUND_SHARDS", 2)
    manifest, written = Manifest(tmp_path), IdSet()
    list(manifest.extend(entries(50), shard_rows=10))
    everything = [one.path for one in entries(50)]
    written.add(id_numbers(pq.read_table(manifest.shards[0])["image_id"]))
    given_out = []
    for table in pending_rounds(manifest, written, Listing(Listed(*entries(50)), manifest)):
        given_out.append(table["path"].to_pylist())
        written.add(id_numbers(table["image_id"]))
    assert given_out == [everything[10:20], everything[20:40], everything[40:]]


def test_what_does_not_come_back_is_given_out_again_but_not_for_ever(tmp_path: Path) -> None:
    manifest, written = Manifest(tmp_path), IdSet()
    pending = pending_rounds(manifest, written, Listing(Listed(*entries(3)), manifest))
    assert next(pending).num_rows == 3
    second = next(pending)
    assert second.num_rows == 3
    written.add(id_numbers(second["image_id"].slice(0, 1)))
    assert next(pending).num_rows == 2
    with pytest.raises(MeteoRayError, match="2 rows were given out and did not come back"):
        next(pending)


def test_an_unfinished_listing_is_told_after_what_it_found_was_given_out(tmp_path: Path) -> None:
    manifest, written = Manifest(tmp_path), IdSet()
    list(manifest.extend(entries(3)))
    listing = Listing(Listed(*entries(3), MachineFault("x cannot be listed to its end")), manifest)
    for table in pending_rounds(manifest, written, listing):
        written.add(id_numbers(table["image_id"]))
    assert len(written) == 3
    with pytest.raises(MachineFault, match="cannot be listed"):
        listing.require_complete()


@given(st.lists(st.integers(0, 2**64 - 1)), st.lists(st.integers(0, 2**64 - 1)))
def test_contains_is_set_membership(present: list[int], asked: list[int]) -> None:
    asked = asked + present[:3]
    found = contains(np.sort(np.array(present, dtype=np.uint64)), np.array(asked, dtype=np.uint64))
    assert found.tolist() == [number in set(present) for number in asked]


@given(st.lists(st.lists(st.integers(0, 40), max_size=9), max_size=9))
def test_an_id_set_is_a_set(batches: list[list[int]]) -> None:
    ids, known = IdSet(), set()
    for batch in batches:
        new = ids.add(np.array(batch, dtype=np.uint64))
        first = [value not in known and value not in batch[:place] for place, value in enumerate(batch)]
        assert new.tolist() == first
        known |= set(batch)
    assert len(ids) == len(known)


def test_an_id_set_keeps_what_it_merges() -> None:
    ids = IdSet()
    numbers = np.random.default_rng(0).permutation(3 * RECENT_IDS).astype(np.uint64)
    for part in np.array_split(numbers, 50):
        assert ids.add(part).all()
    assert len(ids) == 3 * RECENT_IDS
    assert ids.contains(numbers).all()


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    """Fault 27: ten times the entries in shards of a thousand cost their ids, eight bytes each, and no more."""
    peaks = []
    for count in (20_000, 200_000):
        tracemalloc.start()
        list(Manifest(tmp_path / str(count)).extend(entries(count), shard_rows=1000))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 4 * 8 * 180_000
