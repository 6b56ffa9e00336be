"""Objects of a remote archive, brought to this machine one at a time, in memory: no temporary folder can be full."""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import contextmanager
from threading import Thread
from typing import Any, TypeVar

from meteo_ray.archive.inputs.object_store import TooLarge, bounded_bytes
from meteo_ray.archive.inputs.source import RemoteSource
from meteo_ray.errors import MachineFault
from meteo_ray.imaging.decode import DEFAULT_LIMITS, DecodeFailure

Result = TypeVar("Result")

# Calls that a store has left hanging hold a thread each; so many and it counts as out of reach.
HANGING_CALLS = 8
# A slow line brings this much a second: a large file may take longer than a small one.
BYTES_PER_SECOND = 1e6


class Fetcher:
    """Fetches objects within bounds of size and time."""

    def __init__(self, source: RemoteSource, timeout_s: float) -> None:
        self.source, self.timeout_s = source, timeout_s
        self._hanging: list[Future[bytes]] = []

    @contextmanager
    def descriptor(self, row: Mapping[str, Any]) -> Iterator[int]:
        """An open file in memory that holds a row's object.

        Raises:
            DecodeFailure: `too_large`, `changed`, `io` or `timeout`.
            MachineFault: when the store leaves call after call hanging.
        """
        data = self._bytes(row)
        descriptor = os.memfd_create("meteo_ray")
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(data)
            os.lseek(descriptor, 0, os.SEEK_SET)
            yield descriptor
        finally:
            os.close(descriptor)

    def _bytes(self, row: Mapping[str, Any]) -> bytes:
        path, size = str(row["path"]), int(row["size"])
        if size > DEFAULT_LIMITS.max_bytes:
            raise DecodeFailure(
                "rejected", "too_large", f"{path}: {size} bytes, at most {DEFAULT_LIMITS.max_bytes} are taken"
            )
        try:
            data = self._in_time(path, size)
        except (FileNotFoundError, TooLarge) as error:
            raise DecodeFailure("error", "changed", f"{path}: {error}") from None
        except OSError as error:
            raise DecodeFailure("error", "io", f"{path}: {error}") from None
        if len(data) != size:
            raise DecodeFailure("error", "changed", f"{path}: {len(data)} bytes, {size} when it was listed")
        return data

    def _in_time(self, path: str, size: int) -> bytes:
        self._hanging = [call for call in self._hanging if not call.done()]
        if len(self._hanging) >= HANGING_CALLS:
            raise MachineFault(
                f"--archive {self.source.root}: the store leaves {HANGING_CALLS} calls hanging; run again with --resume"
            )
        filesystem, root = self.source.filesystem()
        call = in_background(bounded_bytes, filesystem, f"{root}/{path}", size)
        try:
            return call.result(self.timeout_s + size / BYTES_PER_SECOND)
        except NotInTime:
            self._hanging.append(call)
            raise DecodeFailure("error", "timeout", f"{path}: not fetched in time") from None


def in_time(timeout_s: float, function: Callable[..., Result], *arguments: Any) -> Result:
    """What a call gives, if it does so in time. Raises NotInTime."""
    return in_background(function, *arguments).result(timeout_s)


def in_background(function: Callable[..., Result], *arguments: Any) -> "Future[Result]":
    """A call in a thread that keeps no process alive, however long it hangs."""
    future: Future[Result] = Future()

    def call() -> None:
        try:
            future.set_result(function(*arguments))
        except BaseException as error:  # raised again where the result is asked for
            future.set_exception(error)

    Thread(target=call, name="fetch", daemon=True).start()
    return future
