"""Messages between a guarded child and its parent, over a pair of sockets: eight bytes of length, then as many bytes.

A deadline holds for a message as a whole: nothing obliges the other side to come to an end.
"""

import socket
import struct
import time

_LENGTH = struct.Struct("!Q")

# Room is made for what has come, not for what the other side says is coming.
_PIECE_BYTES = 2**20


def send(peer: socket.socket, data: bytes, deadline: float | None = None) -> None:
    """Send a message before `deadline` (of time.monotonic()). Raises TimeoutError, or OSError when nobody listens."""
    _wait_until(peer, deadline)
    peer.sendall(_LENGTH.pack(len(data)) + data)


def receive(peer: socket.socket, at_most: int, deadline: float | None = None) -> bytearray:
    """A whole message that ends before `deadline`.

    Raises:
        TimeoutError: when it does not.
        EOFError: when the other side has gone.
        ValueError: when it has more than `at_most` bytes.
    """
    (length,) = _LENGTH.unpack(_exactly(peer, _LENGTH.size, deadline))
    if length > at_most:
        raise ValueError(f"a message of {length} bytes")
    return _exactly(peer, length, deadline)


def send_descriptor(peer: socket.socket, descriptor: int) -> None:
    """Give an open file to the other side."""
    socket.send_fds(peer, [b"\0"], [descriptor])  # at least one byte carries it


def receive_descriptor(peer: socket.socket) -> int:
    """The open file that the other side gives."""
    _, descriptors, _, _ = socket.recv_fds(peer, 1, 1)
    if not descriptors:
        raise EOFError
    return descriptors[0]


def _exactly(peer: socket.socket, count: int, deadline: float | None) -> bytearray:
    data = bytearray()
    while len(data) < count:
        _wait_until(peer, deadline)
        received = peer.recv(min(count - len(data), _PIECE_BYTES))
        if not received:
            raise EOFError
        data += received
    return data


def _wait_until(peer: socket.socket, deadline: float | None) -> None:
    if deadline is None:
        return
    left = deadline - time.monotonic()
    if left <= 0:  # to a socket 0 would mean not to wait, which fails otherwise
        raise TimeoutError
    peer.settimeout(left)
