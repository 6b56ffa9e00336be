"""What is read ahead comes in order, errors come where they happened, and nothing is left running."""

import threading
import time

import pytest

from meteo_ray.training.read_ahead import ReadAhead


def test_items_come_in_order_and_the_end_stays_the_end():
    ahead = ReadAhead(iter(range(50)), depth=3)
    assert list(ahead) == list(range(50))
    assert list(ahead) == []


def test_it_is_as_far_ahead_as_told_and_no_further():
    made = []
    ahead = ReadAhead((made.append(number) or number for number in range(100)), depth=2)
    assert next(ahead) == 0
    deadline = time.monotonic() + 10
    while len(made) < 4 and time.monotonic() < deadline:  # one taken, two ready, one waiting for its place
        time.sleep(0.01)
    time.sleep(0.1)
    assert made == [0, 1, 2, 3]
    ahead.close()


def test_an_error_comes_after_what_was_made_before_it():
    def failing():
        yield 1
        raise OSError("gone")

    ahead = ReadAhead(failing())
    assert next(ahead) == 1
    for _ in range(2):
        with pytest.raises(OSError, match="gone"):
            next(ahead)


def test_closing_ends_thread_and_generator():
    ended = threading.Event()

    def endless():
        try:
            while True:
                yield 0
        finally:
            ended.set()

    ahead = ReadAhead(endless())
    assert next(ahead) == 0
    ahead.close()
    assert ended.is_set()
    assert not ahead._thread.is_alive()


def test_waiting_is_measured():
    def slow():
        for number in range(3):
            time.sleep(0.05)
            yield number

    ahead = ReadAhead(slow())
    assert list(ahead) == [0, 1, 2]
    assert 0.1 < ahead.waited_s < 5
    quick = ReadAhead(iter(range(3)), depth=3)
    time.sleep(0.2)
    list(quick)
    assert quick.waited_s < ahead.waited_s
