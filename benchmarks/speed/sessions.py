"""A contender in a process of its own, told what to do line by line; what its whole tree of processes used."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil

ROOT = Path(__file__).resolve().parents[2]

# Seconds between two looks at the memory of a tree of some ten processes, a few milliseconds each.
INTERVAL_S = 0.25

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Run:
    """What one folder took: seconds, CPU seconds of the whole tree, and cores that others used meanwhile."""

    images: int
    seconds: float
    cpu_s: float
    foreign_cores: float
    peak_mb: float | None
    answer: Any


class ContenderFailed(RuntimeError):
    """A contender ended or wrote nonsense; its log says why."""


class Session:
    """Starts `benchmarks.speed.contenders` with `options`, on one core where that is given; everything that it prints
    goes to `log`."""

    def __init__(
        self, options: dict[str, Any], log: Path, core: int | None = None, variables: Mapping[str, str] | None = None
    ) -> None:
        self.options, self.log = options, log
        log.parent.mkdir(parents=True, exist_ok=True)
        # No RAY_ADDRESS: a contender starts a Ray of its own, whatever else runs.
        environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"} | dict(
            variables or {}
        )
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [environment.get("PYTHONPATH")])])
        with open(log, "a", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.speed.contenders", json.dumps(options)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})
        self._ready = False

    def wait_ready(self) -> None:
        """Until Ray and models are there."""
        if not self._ready:
            self.receive()
            self._ready = True

    def send(self, **asked: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """The next answer. Raises ContenderFailed when there will be none."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ContenderFailed(f"{self.options} ended with status {self._process.wait()}; see {self.log}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def run(self, folder: Path, memory: bool = False, **asked: Any) -> Run:
        """Let it judge a folder. The tree's CPU seconds count what workers that ended in it had used."""
        self.wait_ready()
        images = sum(1 for _ in folder.iterdir())
        own, machine = tree_cpu_seconds(self._process.pid), busy_seconds()
        with _Peak(self._process.pid, memory) as peak:
            self.send(folder=str(folder), **asked)
            answer = self.receive()
        own, machine = tree_cpu_seconds(self._process.pid) - own, busy_seconds() - machine
        seconds = answer["seconds"]
        foreign = max(0.0, machine - own) / seconds
        return Run(images, seconds, own, foreign, peak.megabytes, answer["answer"])

    def close(self) -> None:
        """Let it end; its Ray ends with it."""
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Peak:
    """The most memory that a tree held at one moment of the block, in MB, shared pages counted once; None if not
    wanted."""

    def __init__(self, pid: int, wanted: bool) -> None:
        self.megabytes: float | None = None
        self._pid, self._stop = pid, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True) if wanted else None

    def _watch(self) -> None:
        while True:
            held = sum(_of_tree(self._pid, _pss))
            self.megabytes = max(self.megabytes or 0.0, held / 2**20)
            if self._stop.wait(INTERVAL_S):
                return

    def __enter__(self) -> Self:
        if self._thread:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()


def tree_cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants, and of those of their children that have ended."""
    return sum(_of_tree(pid, lambda process: sum(process.cpu_times()[:4])))


def busy_seconds() -> float:
    """CPU seconds that this machine has worked since it started, whoever for."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = (int(part) for part in file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS


def _of_tree(pid: int, look: Callable[[psutil.Process], float]) -> list[float]:
    """What `look` says of every process of a tree that is still there."""
    found = []
    try:
        parent = psutil.Process(pid)
        processes = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    for process in processes:
        try:
            found.append(look(process))
        except (psutil.Error, OSError):
            continue
    return found


def _pss(process: psutil.Process) -> float:
    lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    return next((int(line.split()[1]) * 1024.0 for line in lines if line.startswith("Pss:")), 0.0)
