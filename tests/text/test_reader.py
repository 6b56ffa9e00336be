"""The parent's side: engines really hang, crash and grow here; a page loses its text at most."""

import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest

from meteo_ray.errors import MachineFault
from meteo_ray.imaging import guarded_process
from meteo_ray.text import reader as reader_module
from meteo_ray.text.config import TextSettings
from meteo_ray.text.reader import TextReader, memory_file
from tests.text import hostile_engine
from tests.text.hostile_engine import BABBLES, CRASHES_ONCE, EXITS, FAILS, GROWS, HANGS, IS_KILLED_ONCE, LIES, READS

HOSTILE = "tests.text.hostile_engine:read_lines"


def pixels(what: int = READS) -> np.ndarray:
    return np.full((4, 6, 3), what, dtype=np.uint8)


def hostile(attempts: int = 2, **settings: float) -> TextReader:
    return TextReader(TextSettings(mode="page", **settings), attempts=attempts, function=HOSTILE)


@pytest.fixture
def reader() -> Iterator[TextReader]:
    with hostile() as reader:
        yield reader


def child_of(reader: TextReader) -> str:
    """The id of the process that reads."""
    (line,) = reader.read(pixels()).lines
    return line.text


def test_lines_of_which_the_engine_is_unsure_are_left_out():
    with hostile(minimum_score=0.5) as strict, hostile(minimum_score=0.0) as lenient:
        assert [line.score for line in strict.read(pixels()).lines] == [0.9]
        assert [line.score for line in lenient.read(pixels()).lines] == [0.9, 0.1]


def test_a_page_that_takes_too_long_goes_without_its_text():
    with hostile(seconds=0.5) as reader:
        reading = reader.read(pixels(HANGS))
        assert (reading.lines, reading.failure) == ((), "timeout")
        assert "6 x 4 pixels" in reading.detail
        assert reader.read(pixels()).lines


@pytest.mark.parametrize(("what", "told"), [(EXITS, "left with 3"), (FAILS, "MemoryError")])
def test_a_page_that_crashes_the_engine_goes_without_its_text(reader, what, told):
    before = child_of(reader)
    reading = reader.read(pixels(what))
    assert (reading.lines, reading.failure) == ((), "crashed")
    assert told in reading.detail
    assert child_of(reader) != before


@pytest.mark.parametrize("what", [CRASHES_ONCE, IS_KILLED_ONCE])
def test_a_page_whose_child_is_lost_in_the_middle_is_read_again(reader, what):
    before = child_of(reader)
    (line,) = reader.read(pixels(what)).lines
    assert line.text != before


def test_children_that_are_killed_say_nothing_about_the_page():
    with hostile(attempts=1) as reader:
        assert reader.read(pixels(IS_KILLED_ONCE)).lines


@pytest.mark.parametrize("what", [LIES, BABBLES])
def test_an_engine_that_was_taken_over_is_not_believed(reader, what):
    assert reader.read(pixels(what)).failure == "crashed"


def test_a_child_that_was_killed_meanwhile_is_replaced(reader):
    before = child_of(reader)
    os.kill(int(before), signal.SIGKILL)
    assert child_of(reader) != before


def test_the_child_is_replaced_after_its_share_of_images():
    with hostile(images_per_child=3) as reader:
        children = [child_of(reader) for _ in range(7)]
    assert [children.count(child) for child in dict.fromkeys(children)] == [3, 3, 1]


def test_the_child_is_replaced_when_it_has_grown_too_large():
    with hostile(resident_mb=1024) as reader:
        child_of(reader)
        base_mb = reader.resident_bytes // 2**20
    growth_mb = hostile_engine.GROWTH_BYTES // 2**20
    with hostile(resident_mb=base_mb + growth_mb // 2) as reader:
        before = child_of(reader)
        assert child_of(reader) == before
        reader.read(pixels(GROWS))
        assert child_of(reader) != before


def test_no_child_to_be_had_is_the_machines_fault(monkeypatch):
    monkeypatch.setattr(guarded_process, "START_TIMEOUTS_S", (10.0,))
    settings = TextSettings(mode="page")
    reader = TextReader(settings, function="tests.text.hostile_engine:absent")
    with reader, pytest.raises(MachineFault, match="absent"):
        reader.read(pixels())


def test_no_room_for_pixels_is_the_machines_fault(reader, monkeypatch):
    def full(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reader_module, "_nameless_file", full)
    with pytest.raises(MachineFault, match="No space left"):
        reader.read(pixels())


def test_pixels_reach_the_child_without_memory_files_too(monkeypatch):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    with memory_file(pixels(7)[:, ::-1]) as descriptor:
        assert os.pread(descriptor, 1000, 0) == bytes([7]) * 72


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 5), (5, 5, 4)])
def test_other_arrays_are_refused(reader, shape):
    with pytest.raises(ValueError, match="height, width, 3"):
        reader.read(np.zeros(shape, dtype=np.uint8))


def test_a_reader_that_is_off_is_refused():
    with pytest.raises(ValueError, match="off"):
        TextReader(TextSettings())
