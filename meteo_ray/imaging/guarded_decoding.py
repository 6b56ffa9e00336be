"""Loads images in a child process, so that a decoder which hangs, crashes or eats memory costs one row, not the job.

In Ray Data a worker's death is no exception: the task is retried without end. So the bytes of strangers are decoded
one process further down, which can be killed and replaced; what comes back are a JSON header and raw pixels, never
a pickle, for a decoder that was taken over must not take over its parent.
"""

import json
import os
import subprocess
import sys
from dataclasses import fields
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.imaging.load import LoadedImage

# Python, numpy and Pillow start in 0.2 s; a machine swamped by other starts may need a hundred times that.
_START_TIMEOUT_S = 30.0

# All that the child knows of its surroundings: what opens hostile bytes gets no token of Ray's and no cloud keys.
INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")

# The child ends by itself this much later than its parent would have ended it, should the parent be gone by then.
OWN_END_FACTOR = 1.5

HEADER_FIELDS = tuple(field.name for field in fields(LoadedImage) if field.name != "pixels")


class GuardedLoader:
    """`load_image` in a child process; a context manager. Not for several threads at once: give each its own.

    Args:
        timeout_s: seconds that one image may take; slow storage included, the slowest sheets decode in about 2 s.
        memory_limit_bytes: memory that the child may take beyond what it starts with. 1.5 GiB hold the 576 MB of the
            largest image that is taken (see `DecodeLimits`), its 256 MiB file and as much again for the decoder.
        attempts: how often an image is tried before it is given up as `timeout` or `crashed`.
        loader: "module:function" with `load_image`'s signature and contract, importable in the child.
    """

    def __init__(
        self,
        timeout_s: float = 20.0,
        memory_limit_bytes: int = 3 * 2**29,
        attempts: int = 2,
        loader: str = "meteo_ray.imaging.load:load_image",
    ) -> None:
        self.timeout_s, self.memory_limit_bytes = timeout_s, memory_limit_bytes
        self.attempts, self.loader = attempts, loader
        self._child: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def load(self, path: Path | str, size: tuple[int, int] = INPUT_SIZE) -> LoadedImage:
        """Read, decode and fit one file to `size` (width, height), as `load_image`.

        Raises:
            DecodeFailure: as `load_image`; `timeout` or `crashed` when every attempt ended so.
        """
        request = json.dumps({"path": os.fspath(path), "size": size}).encode()
        for attempt in range(1, self.attempts + 1):
            try:
                return self._ask(request)
            except _ChildLost as lost:
                self._end_child()
                if attempt == self.attempts:
                    detail = f"{path}: {lost.detail} ({attempt} attempts)"
                    raise DecodeFailure("error", lost.reason, detail) from None
        raise ValueError(f"attempts must be at least 1, got {self.attempts}")

    def close(self) -> None:
        """End the child; the next `load` starts another."""
        self._end_child()

    def _ask(self, request: bytes) -> LoadedImage:
        connection = self._running()
        try:
            connection.send_bytes(request)
            if not connection.poll(self.timeout_s):
                raise _ChildLost("timeout", f"not loaded within {self.timeout_s:g} s")
            header = json.loads(connection.recv_bytes())
            if "failure" in header:
                raise DecodeFailure(**header["failure"])
            return _loaded(header, connection.recv_bytes())
        except (EOFError, OSError):
            raise _ChildLost("crashed", self._how_it_ended()) from None

    def _running(self) -> Connection:
        if self._connection is None:
            self._start_child()
        assert self._connection is not None
        return self._connection

    def _start_child(self) -> None:
        self._connection, far_end = Pipe()
        own_end_s = self.timeout_s * OWN_END_FACTOR
        arguments = [str(far_end.fileno()), self.loader, str(self.memory_limit_bytes), str(own_end_s)]
        # -P and PYTHONPATH: the child imports from where this process does, and from no folder it happens to stand in.
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        environment |= {"PYTHONPATH": _import_path(), "OMP_NUM_THREADS": "1"}
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "meteo_ray.imaging.guarded_decoding_child", *arguments],
            pass_fds=[far_end.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # codecs grumble there about every odd file
        )
        far_end.close()
        self._await_ready()

    def _await_ready(self) -> None:
        """Wait until the child has imported its loader. A child that cannot start is our defect, not the image's."""
        assert self._connection is not None
        try:
            message = self._connection.recv_bytes() if self._connection.poll(_START_TIMEOUT_S) else b"no sign of life"
        except (EOFError, OSError):
            message = self._how_it_ended().encode()
        if message:
            self._end_child()
            raise RuntimeError(f"the image loader's process did not start: {message.decode('utf-8', 'replace')}")

    def _how_it_ended(self) -> str:
        assert self._child is not None
        try:
            code = self._child.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return "the loading process stopped answering"
        return f"the loading process died of signal {-code}" if code < 0 else f"the loading process left with {code}"

    def _end_child(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None


class _ChildLost(Exception):
    def __init__(self, reason: Any, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


def _import_path() -> str:
    return os.pathsep.join(entry or os.getcwd() for entry in sys.path)


def _loaded(header: dict[str, Any], pixels: bytes) -> LoadedImage:
    array = np.frombuffer(pixels, dtype=np.uint8).reshape(header.pop("shape"))
    return LoadedImage(**{name: header[name] for name in HEADER_FIELDS}, pixels=array)
