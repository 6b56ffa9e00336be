"""Calls functions in a child process, so that a decoder which hangs, crashes or eats memory costs one row, not the job.

In Ray Data a worker's death is no exception: the task is retried without end. So the bytes of strangers are read and
decoded one process further down, which can be killed and replaced; what comes back are a JSON header and raw bytes,
never a pickle, for a decoder that was taken over must not take over its parent. Pixels may come through shared memory.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar, get_args

from meteo_ray.errors import MachineFault
from meteo_ray.imaging.decode import DecodeFailure, Reason, Status
from meteo_ray.imaging.messages import receive, send, send_descriptor
from meteo_ray.imaging.shared_memory import SharedMemory

Answer = TypeVar("Answer")

# Python, numpy and Pillow start in 0.2 s; a machine swamped by other starts may need a hundred times that, and a
# sleeping disk or a busy share longer still: 30 + 60 + 120 s are waited before the machine is given up.
START_TIMEOUTS_S = (30.0, 60.0, 120.0)

# A child killed from outside (SIGKILL: the kernel's out-of-memory killer, an operator) says nothing about the file in
# its hands: its own limit gives MemoryError. The call is repeated after these seconds, then the machine is given up.
KILLED_WAITS_S = (0.0, 1.0, 4.0, 16.0)

END_TIMEOUT_S = 5.0

# A file of DecodeLimits.max_bytes, or the names of a container, fit; what is longer is no answer.
MAX_ANSWER_BYTES = 2**29

# All that the child knows of its surroundings: what opens hostile bytes gets no token of Ray's and no cloud keys.
INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")


class Returned(NamedTuple):
    """What a called function gave: fields, and bytes where it gave some; in shared memory they last until the next
    call."""

    fields: dict[str, Any]
    payload: bytes | bytearray | memoryview


class ChildLost(Exception):
    """The child had to be ended, or ended itself, during a call: `reason` is "timeout" or "crashed"."""

    def __init__(self, reason: Reason, detail: str, killed: bool = False) -> None:
        super().__init__(reason, detail)
        self.reason, self.detail, self.killed = reason, detail, killed


class GuardedProcess:
    """A child process that calls functions; a context manager. Not for several threads at once: give each its own.

    Args:
        memory_limit_bytes: memory that the child may take beyond what it starts with.
        functions: "module:function" of all that will be called; they are imported while it starts, before it gives up
            its rights: where the kernel has Landlock it may neither write files nor run programs nor open connections
            of TCP, and reads only what Python needs and what is `readable`.
        readable: folders that it may read.
        shared_bytes: size of the memory in which a LoadedImage comes back, if it fits; it comes by message else.
    """

    def __init__(
        self, memory_limit_bytes: int, *functions: str, readable: Sequence[str] = ("/",), shared_bytes: int = 0
    ) -> None:
        self.memory_limit_bytes, self.functions, self.readable = memory_limit_bytes, functions, readable
        self.shared_bytes = shared_bytes
        self._child: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._shared: SharedMemory | None = None  # a child's own: one that cannot be ended may still write there
        self._starts = 0

    @property
    def number(self) -> int:
        """Tells a child from those before it; 0 while there is none."""
        return self._starts if self._connection is not None else 0

    @property
    def process_id(self) -> int | None:
        """The child's; None while there is none."""
        return None if self._child is None else self._child.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def call(self, function: str, timeout_s: float, descriptor: int | None = None, **arguments: Any) -> Returned:
        """What `function(**arguments)` gives in the child; with `descriptor`, an open file that it receives as such.

        Raises:
            DecodeFailure: as the function raised it.
            ChildLost: when it did not end within `timeout_s`, or took its process with it.
            MachineFault: when no child can be started here.
        """
        connection = self._running()
        deadline = time.monotonic() + timeout_s
        request = {"function": function, "timeout_s": timeout_s, "arguments": arguments}
        try:
            send(connection, json.dumps({**request, "descriptor": descriptor is not None}).encode(), deadline)
            if descriptor is not None:
                send_descriptor(connection, descriptor)
            return self._answer(connection, deadline)
        except TimeoutError:
            raise self._lost("timeout", f"no answer within {timeout_s:g} s") from None
        except (EOFError, OSError):
            raise self._lost("crashed", "") from None
        except (ValueError, KeyError, TypeError, RecursionError) as error:  # the last by brackets without end
            raise self._lost("timeout", f"its process answered nonsense: {error}") from None

    @contextmanager
    def ended_if_disbelieved(self) -> Iterator[None]:
        """End a child whose answer makes no sense (ChildLost): it might answer for the images after it as well."""
        try:
            yield
        except ChildLost:
            self.close()
            raise

    def close(self) -> None:
        """End the child; the next call starts another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._shared is not None:
            self._shared.close()
            self._shared = None
        if self._child is not None:
            self._child.kill()
            with suppress(subprocess.TimeoutExpired):  # a share that hangs holds it beyond death; it is left alone
                self._child.wait(END_TIMEOUT_S)
            self._child = None

    def _answer(self, connection: socket.socket, deadline: float) -> Returned:
        """What the child says, which nothing obliges to make sense."""
        header = json.loads(receive(connection, MAX_ANSWER_BYTES, deadline))
        if "failure" in header:
            raise _failure(**header["failure"])
        fields = dict(header["fields"])
        if header["payload"]:
            return Returned(fields, receive(connection, MAX_ANSWER_BYTES, deadline))
        if self._shared is None:
            return Returned(fields, b"")
        return Returned(fields, self._shared.first(header["shared"]))

    def _lost(self, reason: Reason, detail: str) -> ChildLost:
        how = self._how_it_ended() if reason == "crashed" else detail
        killed = reason == "crashed" and self._child is not None and self._child.returncode == -signal.SIGKILL
        self.close()
        return ChildLost(reason, how, killed)

    def _running(self) -> socket.socket:
        if self._connection is None:
            self._start()
        assert self._connection is not None
        return self._connection

    def _start(self) -> None:
        """A slow start is no reason to give up, and a failing one is a defect of the machine, not of an image."""
        for timeout_s in START_TIMEOUTS_S:
            try:
                self._start_child()
                problem = self._await_ready(timeout_s)
            except OSError as error:  # no process, memory or file descriptor to be had
                problem = str(error)
                time.sleep(1.0)
            if not problem:
                return
            self.close()
        raise MachineFault(f"the process that reads images does not start on this machine: {problem}")

    def _start_child(self) -> None:
        self._starts += 1
        self._connection, far_end = socket.socketpair()
        with far_end:
            self._shared = SharedMemory(self.shared_bytes) if self.shared_bytes else None
            shared = [] if self._shared is None else [self._shared.descriptor]
            # -P and PYTHONPATH: the child imports from where this process does, and from no folder it happens to
            # stand in.
            environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
            environment |= {"PYTHONPATH": _import_path(), "OMP_NUM_THREADS": "1"}
            numbers = map(str, (far_end.fileno(), *(shared or [-1]), self.memory_limit_bytes))
            arguments = [*numbers, json.dumps(list(self.readable)), *self.functions]
            self._child = subprocess.Popen(
                [sys.executable, "-P", "-m", "meteo_ray.imaging.guarded_process_child", *arguments],
                pass_fds=[far_end.fileno(), *shared],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # codecs grumble there about every odd file
            )

    def _await_ready(self, timeout_s: float) -> str:
        """Wait until the child has imported its functions; what is wrong comes back, "" when nothing is."""
        assert self._connection is not None
        try:
            told = receive(self._connection, MAX_ANSWER_BYTES, time.monotonic() + timeout_s)
            return told.decode("utf-8", "replace")
        except TimeoutError:
            return f"no sign of life within {timeout_s:g} s"
        except (EOFError, OSError):
            return self._how_it_ended()

    def _how_it_ended(self) -> str:
        assert self._child is not None
        try:
            code = self._child.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return "its process closed the connection"
        return f"its process ended by signal {-code}" if code < 0 else f"its process left with {code}"


def persistently(attempts: int, action: Callable[[], Answer], what: str) -> Answer:
    """Repeat what loses its child: `attempts` times, not counting children that were killed from outside.

    Raises:
        DecodeFailure: `timeout` or `crashed` when every attempt ended so.
        MachineFault: when the children keep being killed.
    """
    if attempts < 1:
        raise ValueError(f"attempts must be at least 1, got {attempts}")
    lost = killed = 0
    while True:
        try:
            return action()
        except ChildLost as loss:
            lost, killed = lost + (not loss.killed), killed + loss.killed
            if lost == attempts:
                raise DecodeFailure("error", loss.reason, f"{what}: {loss.detail} ({attempts} attempts)") from None
            if killed > len(KILLED_WAITS_S):
                raise MachineFault(
                    f"the process that reads images is killed again and again, last while it read {what}; is there "
                    f"enough memory?"
                ) from None
        time.sleep(KILLED_WAITS_S[killed - 1] if killed else 0.0)


def _failure(status: Status, reason: Reason, detail: str) -> DecodeFailure:
    if status not in get_args(Status) or reason not in get_args(Reason):
        raise ValueError(f"{status}/{reason}")
    return DecodeFailure(status, reason, str(detail))


def _import_path() -> str:
    return os.pathsep.join(entry or os.getcwd() for entry in sys.path)
