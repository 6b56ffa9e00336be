"""Messages over a pair of sockets: whole, within their time and size, or not at all."""

import os
import socket
import threading
import time

import pytest

from meteo_ray.imaging.messages import receive, receive_descriptor, send, send_descriptor

LIMIT = 2**24


@pytest.fixture
def pair():
    here, there = socket.socketpair()
    with here, there:
        yield here, there


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_what_is_sent_is_received(pair, size):
    here, there = pair
    data = os.urandom(size)
    sender = threading.Thread(target=send, args=(here, data))
    sender.start()
    assert receive(there, LIMIT, time.monotonic() + 20) == data
    sender.join()


def test_a_descriptor_goes_between_two_messages(pair, tmp_path):
    here, there = pair
    (tmp_path / "chart").write_text("isobars")
    with (tmp_path / "chart").open() as file:
        send(here, b"before")
        send_descriptor(here, file.fileno())
        send(here, b"after")
    assert receive(there, LIMIT) == b"before"
    with open(receive_descriptor(there)) as file:
        assert file.read() == "isobars"
    assert receive(there, LIMIT) == b"after"


def test_the_deadline_holds_for_all_of_a_message_however_it_trickles(pair):
    here, there = pair
    ended = threading.Event()

    def trickle():
        here.sendall((1000).to_bytes(8, "big"))
        while not ended.wait(0.05):
            here.sendall(b"x")

    thread = threading.Thread(target=trickle)
    thread.start()
    with pytest.raises(TimeoutError):
        receive(there, LIMIT, time.monotonic() + 0.3)
    ended.set()
    thread.join()


def test_too_long_a_message_is_refused_before_it_comes(pair):
    here, there = pair
    here.sendall((LIMIT + 1).to_bytes(8, "big"))
    with pytest.raises(ValueError, match="message of"):
        receive(there, LIMIT, time.monotonic() + 20)


def test_the_other_sides_end_is_told(pair):
    here, there = pair
    here.sendall(b"\0\0")
    here.close()
    with pytest.raises(EOFError):
        receive(there, LIMIT, time.monotonic() + 20)
