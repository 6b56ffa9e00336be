"""python benchmarks/streaming.py FOLDER [--images 1000 10000] [--workers N] [--batch-size 64]

How many images a second does one training epoch's stream deliver (decoded, augmented, 320 x 240), and does its memory
grow with their number? The images below FOLDER are repeated until there are enough, each time as a row of its own with
its own augmentation. Prints a table, and the same as one line of JSON.
"""

import argparse
import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import ray

from meteo_ray import cluster
from meteo_ray.cores import default_workers
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.load import load_image
from meteo_ray.streaming.pixels import PreparePixels
from meteo_ray.streaming.stream import stream
from meteo_ray.vocabulary import choose_vocabulary

MEGABYTE = 2**20

# Seconds between two looks at the memory: a block of 32 images takes about as long, and a look a few milliseconds.
INTERVAL_S = 0.25


@dataclass
class Memory:
    """The most that this process and its descendants (Ray's servers and workers) held at one moment, in bytes."""

    rss: int = 0
    """Resident pages, those that processes share counted once for each."""
    pss: int = 0
    """The same with shared pages, the object store's among them, counted once: what the machine must have."""
    shared: int = 0
    """Shared memory alone: the object store."""
    before: int = 0
    """`pss` before the stream was opened: what Ray and the libraries take by themselves."""
    stop: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        process = psutil.Process()
        held = [_rollup(one.pid) for one in (process, *process.children(recursive=True))]
        rss, pss, shared = np.sum(held, axis=0).tolist()
        self.rss, self.pss, self.shared = max(self.rss, rss), max(self.pss, pss), max(self.shared, shared)

    def watch(self) -> None:
        while not self.stop.wait(INTERVAL_S):
            self.look()


def _rollup(pid: int) -> np.ndarray:
    """Rss, Pss and Pss_Shmem of a process in bytes; zeros when it has ended meanwhile."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return np.zeros(3, dtype=np.int64)
    kilobytes = {name: int(value.split()[0]) for name, value in (line.split(":") for line in lines)}
    return np.array([kilobytes[name] for name in ("Rss", "Pss", "Pss_Shmem")], dtype=np.int64) * 1024


@contextmanager
def watched() -> Iterator[Memory]:
    """Memory of the block's run; look at its numbers after the block."""
    memory = Memory()
    memory.look()
    memory.before = memory.pss
    thread = threading.Thread(target=memory.watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        memory.stop.set()
        thread.join()


def readable_images(folder: Path) -> list[dict[str, str]]:
    """Path and sha256 of every file below `folder` that decodes."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            try:
                found.append({"path": path.relative_to(folder).as_posix(), "sha256": load_image(path).sha256})
            except DecodeFailure:
                continue
    return found


def repeated(images: list[dict[str, str]], count: int) -> pa.Table:
    """`count` rows; the id, which seeds the augmentation, is each row's own."""
    return pa.Table.from_pylist(
        [
            {**images[number % len(images)], "image_id": hashlib.sha256(str(number).encode()).hexdigest()[:16]}
            for number in range(count)
        ]
    )


def measure(folder: Path, rows: pa.Table, batch_size: int, workers: int) -> dict[str, Any]:
    """One epoch in a Ray of its own, so that no object store is warm."""
    cluster.connect()
    vocabulary = choose_vocabulary(None, folder)
    prepare = PreparePixels(folder, seed=0, epoch=0, augmentation=AugmentConfig(), vocabulary=vocabulary)
    with watched() as memory:
        started = time.perf_counter()
        first, delivered = 0.0, 0
        for batch in stream(rows, prepare, batch_size, workers):
            first = first or time.perf_counter() - started
            delivered += len(batch["image"])
        seconds = time.perf_counter() - started
    ray.shutdown()
    return {
        "images": delivered,
        "images_per_second": round(delivered / seconds, 1),
        "seconds": round(seconds, 2),
        "first_batch_s": round(first, 2),
        "before_mb": memory.before // MEGABYTE,
        "peak_mb": memory.pss // MEGABYTE,
        "peak_rss_mb": memory.rss // MEGABYTE,
        "object_store_mb": memory.shared // MEGABYTE,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--workers", type=int, default=default_workers())
    parser.add_argument("--batch-size", type=int, default=64)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    images = readable_images(folder)
    if not images:
        parser.error(f"no readable image below {folder}")
    runs = [
        measure(folder, repeated(images, count), arguments.batch_size, arguments.workers)
        for count in sorted(arguments.images)
    ]
    print("| " + " | ".join(runs[0]) + " |")
    print("|" + "---:|" * len(runs[0]))
    for run in runs:
        print("| " + " | ".join(str(value) for value in run.values()) + " |")
    settings = {"files": len(images), "workers": arguments.workers, "batch_size": arguments.batch_size}
    print(json.dumps({**settings, "cpus": os.cpu_count(), "runs": runs}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
