"""What the machine could do at best with the same work: one stage's bare loop in pinned processes, without any engine.

As many processes as cores run it at once, each on its core and with one thread, so that what cores share (memory,
caches, clock) is in the figure: it is measured, not multiplied. On a GPU, one process runs the forward passes.
"""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.sessions import Session

# Images of one call, resident in memory: as many as the job's batches hold.
BATCH = 64

# What each floor does to an image.
WORK = {
    "load": "read, hash, decode and fit (this project's decoder)",
    "whole": "read, decode whole and fit (Pillow)",
    "describe": "descriptors",
    "gate": "the gate's forward pass and trees",
    "elements": "the elements' forward pass, beams and trees",
}


@dataclass(frozen=True)
class Floor:
    """Images a second of the whole machine at this work alone, and CPU seconds that one image takes."""

    rate: float
    cpu_s: float

    def to_json(self) -> dict[str, float]:
        return {"images_per_second": self.rate, "cpu_us": 1e6 * self.cpu_s}


def measure(work: str, folder: Path, models: str | None, seconds: float, log: Path, processes: int) -> Floor:
    """Run one floor in `processes` pinned processes at once."""
    cores = sorted(os.sched_getaffinity(0))[:processes]
    options = {"kind": "floor", "work": work, "models": models}
    with ExitStack() as stack:
        one_thread = {"OMP_NUM_THREADS": "1"}
        sessions = [stack.enter_context(Session(options, log, core, one_thread)) for core in cores]
        for session in sessions:
            session.wait_ready()
        for _ in range(2):  # the first round warms up: page cache, allocator, kernels
            for session in sessions:
                session.send(folder=str(folder), seconds=seconds)
            answers = [session.receive()["answer"] for session in sessions]
    images = sum(answer["images"] for answer in answers)
    rate = sum(answer["images"] / answer["seconds"] for answer in answers)
    return Floor(rate, sum(answer["cpu_s"] for answer in answers) / images)


def floor(work: str, models: str | None) -> Callable[..., dict[str, float]]:
    """The loop of one process: `run(folder, seconds)` -> images, seconds, cpu_s."""
    step = {"load": _load, "whole": _whole}[work]() if work in ("load", "whole") else None

    def run(folder: Path, seconds: float) -> dict[str, float]:
        paths = sorted(folder.iterdir())
        each = step or _on_pixels(work, models, paths[:BATCH])
        started, used, images = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - started < seconds:
            images += each(paths[images % len(paths)])
        taken = time.perf_counter() - started
        return {"images": images, "seconds": taken, "cpu_s": time.process_time() - used}

    return run


def _load() -> Callable[[Path], int]:
    from meteo_ray.imaging.load import load_image

    return lambda path: len((load_image(path),))


def _whole() -> Callable[[Path], int]:
    from benchmarks.speed.contenders import whole

    return lambda path: len((whole(path),))


def _on_pixels(work: str, models: str | None, paths: list[Path]) -> Callable[[Path], int]:
    """Work on pixels that lie in memory: a whole batch at a call, whichever path is named."""
    from meteo_ray.imaging.load import load_image

    images = np.stack([load_image(path).pixels for path in paths])
    if work == "describe":
        from meteo_ray.voters.descriptors import describe_all

        def describe(_: Path) -> int:
            return len(describe_all(images))

        return describe
    return _forward(work, Path(str(models)) / work, images)


def _forward(stage: str, bundle: Path, images: np.ndarray) -> Callable[[Path], int]:
    """The network's part of a predictor, and its trees on descriptors that are there already."""
    import torch

    from meteo_ray.elements.beam_search import beam_search
    from meteo_ray.stages import CASCADE
    from meteo_ray.training.device import autocast
    from meteo_ray.voters.descriptors import describe_all

    predictor: Any = CASCADE[stage].load(bundle)
    device = predictor.device
    descriptors = describe_all(images) if predictor.voters.trees else None

    def encode(pixels: torch.Tensor) -> Any:
        with autocast(device, predictor.precision):
            pixels = pixels.to(device, non_blocking=True)
            return predictor.model(pixels).chart if stage == "gate" else predictor.model.encode(pixels)

    @torch.inference_mode()
    def forward(_: Path) -> int:
        step = predictor.micro_batch
        found = [encode(torch.from_numpy(images[start : start + step])) for start in range(0, len(images), step)]
        if stage == "elements":
            searched = torch.cat([piece.image for piece in found])
            beam_search(predictor.model.decoder, searched, predictor.beam_width, predictor.max_labels).best()
            found = [piece.parallel for piece in found]
        torch.cat(found).cpu()
        predictor.voters.on_descriptors(descriptors)
        return len(images)

    return forward
