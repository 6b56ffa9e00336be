"""What all groups of measurements share: sizes of a quick and a full run, files, models, sessions, and the machine."""

import os
import platform
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.speed import floors
from benchmarks.speed.images import FORMATS, JPEG, PALETTE, SIZE, Store, bases, encoded, real_files
from benchmarks.speed.models import write_models
from benchmarks.speed.sessions import Session
from meteo_ray.versions import versions

MIXED = "mixed"
"""JPEGs, PNGs and palette PNGs by turns: what an archive is."""


@dataclass(frozen=True)
class Plan:
    """Sizes. `seconds` are those of one large run, `most` its images at most."""

    blocks: int
    seconds: float
    most: int
    drawings: int
    floor_s: float
    formats: tuple[str, ...]
    stages: tuple[tuple[str, ...], ...]
    counts: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]
    sleeping: int


GATE, ELEMENTS = ("gate",), ("gate", "elements")

QUICK = Plan(
    blocks=1,
    seconds=1.0,
    most=512,
    drawings=16,
    floor_s=0.5,
    formats=(JPEG,),
    stages=(ELEMENTS,),
    counts=(256, 512, 768),
    sizes=((320, 240), (1280, 960)),
    sleeping=512,
)
FULL = Plan(
    blocks=3,
    seconds=12.0,  # of the job: over twice its start and end, which vary by half a second
    most=4096,
    drawings=32,
    floor_s=2.0,
    formats=FORMATS,
    stages=(GATE, ELEMENTS),
    counts=(2048, 4096, 8192, 16384),
    sizes=((320, 240), (640, 480), (960, 720), (1280, 960), (1920, 1440)),
    sleeping=2048,
)


class Bench:
    """One run of the benchmark: `work` holds its files, models, logs and results."""

    def __init__(self, work: Path, plan: Plan, workers: int, models: Path | None, real: Path | None) -> None:
        self.work, self.plan, self.workers = work.resolve(), plan, workers
        self.store, self.log = Store(self.work / "images"), self.work / "log.txt"
        self._models, self._real = models, real
        self.drawn = bases(plan.drawings)

    def files(self, kind: str, size: tuple[int, int] = SIZE) -> str:
        """Makes the files of a format at a size; the name of their folders in the store."""
        name = f"{kind}_{size[0]}x{size[1]}"
        if name not in self.store:
            self.store.add(name, [encoded(base.picture, kind, size) for base in self.drawn])
        return name

    def mixed(self) -> str:
        """Makes files of all formats, charts and others alike of each."""
        if MIXED not in self.store:
            kinds = [FORMATS[number // 2 % len(FORMATS)] for number in range(len(self.drawn))]
            pairs = zip(self.drawn, kinds, strict=True)
            self.store.add(MIXED, [encoded(base.picture, kind) for base, kind in pairs])
        return MIXED

    def real(self, kind: str) -> str | None:
        """The real files of a format; None where there are none."""
        found = real_files(self._real, kind) if self._real else []
        if not found or kind == PALETTE:
            return None
        self.store.add(f"real_{kind}", found)
        return f"real_{kind}"

    def models(self) -> Path:
        """Trained bundles that were given, else untrained ones: small inputs on a CPU, whole ones on a GPU."""
        if self._models is not None:
            return self._models.resolve()
        place = self.work / f"models_of_{len(self.drawn)}_drawings"  # a quick run's know fewer
        if not (place / "elements").is_dir():
            write_models(place, self.drawn, (320, 240) if gpu_name() else (160, 120))
        return place

    def session(self, stack: ExitStack, kind: str, stages: Sequence[str] = (), workers: int | None = None) -> Session:
        """A contender that is ready, and ends with the stack; one starts after the other."""
        models = str(self.models()) if stages else None
        options = {"kind": kind, "judge": {"stages": list(stages), "models": models}, "workers": workers}
        session = stack.enter_context(Session(options, self.log))
        session.wait_ready()
        return session

    def floor(self, work: str, name: str, count: int = floors.BATCH) -> floors.Floor:
        """One floor on the files of a name: on all cores, or, of a network on a GPU, in one process."""
        network = work in ("gate", "elements")
        processes = 1 if network and gpu_name() else os.cpu_count() or 1
        models = str(self.models()) if network else None
        return floors.measure(work, self.store.folder(name, count), models, self.plan.floor_s, self.log, processes)


def gpu_name() -> str | None:
    """Of the first GPU, asked without starting CUDA in this process."""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.splitlines()[0].strip() if done.stdout.strip() else None


def machine() -> dict[str, Any]:
    """What was measured on, and how busy it is right now (load average, pressure stall information)."""
    return {
        "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "gpu": gpu_name(),
        "system": platform.platform(),
        "load": os.getloadavg()[0],
        "pressure": pressure(),
        "versions": versions(),
    }


def pressure() -> float | None:
    """Share of the last ten seconds, in percent, in which something waited for a CPU (PSI, `some avg10`)."""
    try:
        line = Path("/proc/pressure/cpu").read_text("ascii").splitlines()[0]
    except OSError:
        return None
    return float(line.split("avg10=")[1].split()[0])


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
