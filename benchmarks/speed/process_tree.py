"""CPU seconds and memory of a process and all its descendants, Ray's servers and workers among them.

Looked at twice a second while they run, because what a worker used is lost when it ends: Ray's raylet ignores its
children's end (SIGCHLD), and then Linux adds their time to nobody's. At most half a second of every process that ends
is missed, as often in a short run as in a long one, so it falls out of marginal costs.
"""

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

# Seconds between two looks, each of which reads a small file of every process of the machine: some milliseconds.
INTERVAL_S = 0.5

TICKS = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    """`born` tells a process from an earlier one of the same number."""

    pid: int
    parent: int
    born: int
    cpu_s: float


def processes() -> list[Process]:
    """All that there are, by /proc/*/stat (proc(5): fields 4, 14, 15 and 22)."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                # The command, in brackets, may hold anything.
                fields = Path("/proc", name, "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            except OSError:  # ended meanwhile
                continue
            used = (int(fields[11]) + int(fields[12])) / TICKS
            found.append(Process(int(name), int(fields[1]), int(fields[19]), used))
    return found


def tree(root: int, everything: list[Process] | None = None) -> list[Process]:
    """A process and its descendants among `everything`, by default what there is now; empty when it has ended."""
    everything = processes() if everything is None else everything
    children: dict[int, list[Process]] = {}
    for process in everything:
        children.setdefault(process.parent, []).append(process)
    found = [process for process in everything if process.pid == root]
    for process in found:  # grows while it is gone through
        found += children.get(process.pid, [])
    return found


@dataclass
class Watch:
    """`with Watch(pid) as watch`: afterwards `cpu_s` is what the tree used meanwhile, `others_s` what processes used
    that are not of this one's tree, and `peak_mb` the most memory that the watched tree held at one moment, shared
    pages counted once and those of files not at all, where `memory` was wanted."""

    root: int
    memory: bool = False
    cpu_s: float = 0.0
    others_s: float = 0.0
    peak_mb: float | None = None

    def __post_init__(self) -> None:
        self._used: dict[tuple[int, int], float] = {}
        self._others: dict[tuple[int, int], float] = {}
        self._ours: set[tuple[int, int]] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._used_before, self._others_before = sum(self._used.values()), dict(self._others)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()
        self.cpu_s = sum(self._used.values()) - self._used_before
        # Whoever became an orphan of this tree meanwhile is none of the others.
        others = {one: used for one, used in self._others.items() if one not in self._ours}
        self.others_s = sum(used - self._others_before.get(one, 0.0) for one, used in others.items())

    def _watch(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            self._look()

    def _look(self) -> None:
        everything = processes()
        found = tree(self.root, everything)
        self._used |= {(process.pid, process.born): process.cpu_s for process in found}
        self._ours |= {(process.pid, process.born) for process in (*found, *tree(os.getpid(), everything))}
        self._others |= {(process.pid, process.born): process.cpu_s for process in everything}
        if self.memory:
            self.peak_mb = max(self.peak_mb or 0.0, sum(_pss(process.pid) for process in found) / 2**20)


def _pss(pid: int) -> float:
    """Bytes of a process, shared pages divided among those that share them; 0 when it has ended.

    Without those of files: a library's pages become one process' own as others end, however little that needs.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) * 1024.0 for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:")))
