"""CPU seconds of a training by what its processes do, and when its epochs ended."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import psutil

INTERVAL_S = 0.25

TRAINER, DATA = "trainer", "data workers"


class CpuSeconds:
    """CPU seconds of this process' descendants by what they do, and when epochs ended; a context manager."""

    def __init__(self, run: Callable[[], Path | None]) -> None:
        self._run, self._stop = run, threading.Event()
        self._seconds: dict[int, float] = {}
        self._kinds: dict[int, str] = {}
        self.looks: list[tuple[float, dict[str, float]]] = []
        self.ends: list[float] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "CpuSeconds":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def between(self, start: float, stop: float) -> dict[str, float]:
        """CPU seconds by kind between two moments, to the nearest looks."""
        first, last = (min(self.looks, key=lambda look: abs(look[0] - moment)) for moment in (start, stop))
        scale = (stop - start) / max(last[0] - first[0], 1e-9)
        return {kind: (seconds - first[1].get(kind, 0.0)) * scale for kind, seconds in last[1].items()}

    def _watch(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            for process in psutil.Process().children(recursive=True):
                try:
                    title, times = " ".join(process.cmdline()[:1]), process.cpu_times()
                except psutil.Error:
                    continue
                if title != "ray::IDLE":
                    self._kinds[process.pid] = _kind(title)
                self._seconds[process.pid] = times.user + times.system
            sums: dict[str, float] = defaultdict(float)
            for pid, seconds in self._seconds.items():
                sums[self._kinds.get(pid, "idle workers")] += seconds
            self.looks.append((time.time(), dict(sums)))
            folder = self._run()
            lines = (folder / "metrics.jsonl").read_text().count("\n") if folder else 0
            self.ends += [time.time()] * (lines - len(self.ends))


def _kind(title: str) -> str:
    if title.startswith("ray::") and "Map" in title:
        return DATA
    return TRAINER if "TrainWorker" in title else "Ray itself"
