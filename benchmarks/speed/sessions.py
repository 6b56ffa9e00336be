"""A contender in a process of its own, told what to do line by line; what its whole tree of processes used."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.speed.process_tree import Watch

ROOT = Path(__file__).resolve().parents[2]


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
        """Let it judge a folder, and watch its tree of processes."""
        self.wait_ready()
        images = sum(1 for _ in folder.iterdir())
        with Watch(self._process.pid, memory) as watch:
            self.send(folder=str(folder), **asked)
            answer = self.receive()
        foreign = watch.others_s / answer["seconds"]
        return Run(images, answer["seconds"], watch.cpu_s, foreign, watch.peak_mb, answer["answer"])

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
