"""The child's side of `guarded_decoding.GuardedLoader`.

Run as `python -m meteo_ray.imaging.guarded_decoding_child FD LOADER MEMORY_BYTES SECONDS`.

Answers each request {"path", "size"} with a JSON header and then the raw pixels, or with {"failure"} alone, until its
parent closes the connection. Imports Pillow and numpy only, so that a replacement starts in a fraction of a second.
"""

import json
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.load import LoadedImage

Loader = Callable[[str, tuple[int, int]], LoadedImage]


def main(arguments: list[str]) -> None:
    descriptor, loader_name, memory_limit_bytes, own_end_s = arguments
    connection = Connection(int(descriptor))
    try:
        module, function = loader_name.split(":")
        loader: Loader = getattr(import_module(module), function)
        _limit_resources(int(memory_limit_bytes))
    except Exception:
        connection.send_bytes(traceback.format_exc().encode())
        return
    connection.send_bytes(b"")  # ready
    while True:
        try:
            request = json.loads(connection.recv_bytes())
        except EOFError:
            return
        # The signal's default action ends even a process that is caught inside a C library, should the parent,
        # which would have ended it before, no longer be there.
        signal.setitimer(signal.ITIMER_REAL, float(own_end_s))
        _answer(connection, loader, request)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _answer(connection: Connection, loader: Loader, request: dict[str, Any]) -> None:
    try:
        loaded = loader(request["path"], tuple(request["size"]))
    except DecodeFailure as failure:
        fields = {"status": failure.status, "reason": failure.reason, "detail": failure.detail}
        connection.send_bytes(json.dumps({"failure": fields}).encode())
    except (Exception, MemoryError) as error:
        fields = {"status": "error", "reason": "crashed", "detail": f"{type(error).__name__}: {error}"}
        connection.send_bytes(json.dumps({"failure": fields}).encode())
    else:
        header = {name: value for name, value in vars(loaded).items() if name != "pixels"}
        connection.send_bytes(json.dumps({**header, "shape": loaded.pixels.shape}).encode())
        connection.send_bytes(loaded.pixels.tobytes())


def _limit_resources(memory_limit_bytes: int) -> None:
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + memory_limit_bytes, used + memory_limit_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash is expected here; its memory need not go to disk


if __name__ == "__main__":
    main(sys.argv[1:])
