"""The child's side of `guarded_process.GuardedProcess`.

Run as `python -m meteo_ray.imaging.guarded_process_child FD SHARED MEMORY_BYTES READABLE MODULE:FUNCTION...`: SHARED is
the descriptor of memory for pixels, or -1, and READABLE a JSON list of folders.

Answers each request {"function", "timeout_s", "arguments", "descriptor"} with a JSON header {"fields", "payload",
"shared"} and then, where there is one, the payload; or with {"failure"} alone; until its parent closes the connection.
`shared` counts the bytes in shared memory. Imports Pillow and numpy at most,
so that a replacement starts in a fraction of a second.
"""

import json
import mmap
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.load import LoadedImage
from meteo_ray.imaging.messages import receive, receive_descriptor, send
from meteo_ray.imaging.shared_memory import opened

# The child ends by itself this much later than its parent would have ended it, should the parent be gone by then.
OWN_END_FACTOR = 1.5

# Its connection, the file that it reads, and those that Python opens for an import; hostile bytes need no more.
OPEN_FILES = 32

MAX_REQUEST_BYTES = 2**20  # names, numbers and a path


def main(arguments: list[str]) -> None:
    descriptor, shared_descriptor, memory_limit_bytes, readable, *names = arguments
    connection = socket.socket(fileno=int(descriptor))
    try:
        shared = opened(int(shared_descriptor))
        functions = {name: _imported(name) for name in names}
        _limit_resources(int(memory_limit_bytes))
        _give_up_rights(json.loads(readable))
    except Exception as error:  # in one line: it becomes part of a message for people
        send(connection, " ".join("".join(traceback.format_exception_only(error)).split()).encode())
        return
    send(connection, b"")  # ready
    while True:
        try:
            request = json.loads(receive(connection, MAX_REQUEST_BYTES))
            received = {"descriptor": receive_descriptor(connection)} if request["descriptor"] else {}
        except (EOFError, ConnectionError):
            return
        # The signal's default action ends even a process that is caught inside a C library, should the parent,
        # which would have ended it before, no longer be there.
        signal.setitimer(signal.ITIMER_REAL, request["timeout_s"] * OWN_END_FACTOR)
        _answer(connection, shared, functions[request["function"]], {**request["arguments"], **received})
        signal.setitimer(signal.ITIMER_REAL, 0)


def _imported(name: str) -> Callable[..., Any]:
    module, function = name.split(":")
    imported: Callable[..., Any] = getattr(import_module(module), function)
    return imported


def _answer(
    connection: socket.socket, shared: mmap.mmap | None, function: Callable[..., Any], arguments: dict[str, Any]
) -> None:
    try:
        fields, payload = _told(function(**arguments))
        placed = _placed(payload, shared)
    except DecodeFailure as failure:
        _send_failure(connection, failure.status, failure.reason, failure.detail)
    except (Exception, MemoryError) as error:
        _send_failure(connection, "error", "crashed", f"{type(error).__name__}: {error}")
    else:
        header = {"fields": fields, "payload": bool(payload) and not placed, "shared": placed}
        send(connection, json.dumps(header).encode())
        if header["payload"]:
            send(connection, b"".join(payload))


def _told(result: Any) -> tuple[dict[str, Any], list[Any]]:
    """A function's result as fields for the JSON header, and what is to be sent as bytes."""
    if isinstance(result, LoadedImage):
        fields = {name: value for name, value in vars(result).items() if name not in ("pixels", "descriptors")}
        arrays = [result.pixels] if result.descriptors is None else [result.pixels, result.descriptors]
        return {**fields, "shape": result.pixels.shape}, [np.ascontiguousarray(array) for array in arrays]
    return ({}, [result]) if isinstance(result, bytes) else (result, [])


def _placed(payload: list[Any], shared: mmap.mmap | None) -> int:
    """Put an image's arrays into shared memory; how many bytes they take there, 0 where there is no room."""
    arrays = [part for part in payload if isinstance(part, np.ndarray)]
    size = sum(array.nbytes for array in arrays)
    if shared is None or size > len(shared):
        return 0
    position = 0
    for array in arrays:
        place = np.frombuffer(shared, np.uint8, array.nbytes, position)
        place[:] = array.reshape(-1).view(np.uint8)
        position += array.nbytes
    return size


def _send_failure(connection: socket.socket, status: str, reason: str, detail: str) -> None:
    send(connection, json.dumps({"failure": {"status": status, "reason": reason, "detail": detail}}).encode())


def _limit_resources(memory_limit_bytes: int) -> None:
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    limits = {
        resource.RLIMIT_AS: used + memory_limit_bytes,
        resource.RLIMIT_CORE: 0,  # a crash is expected here; its memory need not go to disk
        resource.RLIMIT_NOFILE: OPEN_FILES,
    }
    for kind, limit in limits.items():
        resource.setrlimit(kind, (limit, limit))


def _give_up_rights(readable: list[str]) -> None:
    """From here on this process may read some folders, but neither write nor remove files, run programs, open TCP
    connections nor signal others. Sockets of other kinds and the attributes of files are not covered.

    Linux has this (Landlock) since 5.13, connections and signals since 6.7 and 6.12. Elsewhere a limit keeps it from
    filling files, and the scrubbed environment has to do for the rest.
    """
    try:
        from py_landlock import Landlock

        # Pillow loads its plugins when it first needs them.
        needed = {*sys.path, sys.prefix, sys.base_prefix, "/lib", "/usr/lib", *readable}
        Landlock(strict=False).allow_read(*(place for place in needed if place and os.path.exists(place))).apply()
    except Exception:  # not Linux, an older kernel, or one that forbids it
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


if __name__ == "__main__":
    os.umask(0o077)
    main(sys.argv[1:])
