"""Write the demo data set (and an archive) to disk, the drawing spread over Ray tasks."""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import ray

from meteo_ray import cluster
from meteo_ray.demo.awkward_archive import broken_files, place
from meteo_ray.demo.config import DemoJob
from meteo_ray.drawing.compose import ARCHIVE, DATA, Drawn, Order, draw
from meteo_ray.drawing.logos import draw_logos
from meteo_ray.errors import UsageError
from meteo_ray.files import SIGN, make_folder, require_ours, write_atomically
from meteo_ray.progress import ProgressLine

TASK_IMAGES = 16  # about three seconds of drawing a task: a hundredth of that is Ray's own
LABELS = "labels.jsonl"
DUPLICATES = 0.02  # share of the archive's images that stand in it twice


def _draw_many(orders: Sequence[Order]) -> list[Drawn]:
    drawn = []
    for order in orders:
        try:
            drawn.append(draw(order))
        except Exception as error:
            # The order alone repeats the failure: meteo_ray.drawing.compose.draw(order).
            raise RuntimeError(f"cannot draw {order}") from error
    return drawn


def drawn_in_order(orders: Sequence[Order], label: str) -> Iterator[Drawn]:
    """Draw on the cluster's CPUs, at most a few tasks ahead of the reader, and yield in the order given."""
    cluster.connect()
    task = ray.remote(_draw_many).options(num_cpus=1)
    groups = [orders[start : start + TASK_IMAGES] for start in range(0, len(orders), TASK_IMAGES)]
    ahead = 2 * max(int(ray.cluster_resources().get("CPU", 1)), 1)
    progress = ProgressLine(label, len(orders))
    waiting = iter(groups)
    running = deque(task.remote(group) for group in islice(waiting, ahead))
    while running:
        done = ray.get(running.popleft())  # nothing holds the images in Ray's store any longer
        running.extend(task.remote(group) for group in islice(waiting, 1))
        yield from done
        progress.update(len(done))
    progress.close()


def require_free(config: DemoJob) -> None:
    """Refuse places that may not be drawn into, before anything is drawn.

    Raises:
        UsageError: when the folder holds a data set already and `overwrite` is not given, or anything not drawn here.
    """
    target = config.out / LABELS
    require_ours(config.out, "drawn data set")
    if target.exists() and not config.overwrite:
        raise UsageError(f"{target} exists: choose another --out, or give --overwrite to draw it anew")
    if config.archive is not None:
        # Not SIGN: whatever lies in an archive is one of its files.
        require_ours(config.archive, "drawn archive", "broken")


def build_data(config: DemoJob) -> int:
    """Write `config.out/{images/, labels.jsonl, logos/}` (R1) and return the number of images.

    labels.jsonl is written last and at once, so that a folder with one is complete.

    Raises:
        UsageError: see `require_free`.
    """
    require_free(config)
    out, seed = config.out, config.seed
    target = out / LABELS
    make_folder(out / "images", "--out")
    target.unlink(missing_ok=True)
    (out / SIGN).touch()
    _write_logos(out / "logos", seed)
    wanted = [(True, n) for n in range(config.charts)] + [(False, n) for n in range(config.others)]
    orders = [Order(seed, DATA, is_meteo, n, config.offices, config.habit) for is_meteo, n in wanted]
    # Mixed, so that neither file names nor row numbers tell the classes apart.
    orders = [orders[i] for i in np.random.default_rng([seed, 4]).permutation(len(orders))]
    rows = []
    for number, drawn in enumerate(drawn_in_order(orders, "demo data")):
        path = f"images/{number:06d}{drawn.extension}"
        (out / path).write_bytes(drawn.data)
        rows.append({"path": path, **drawn.row})
    _write_rows(target, rows)
    return len(rows)


def build_archive(folder: Path, config: DemoJob) -> int:
    """Fill `folder` with `config.archive_count` fresh images under awkward names, some twice, and the broken files.

    What the images show goes to `config.archive_truth`, if wanted. Returns the number of files. None of the images is
    in the data set of the same seed.

    Raises:
        UsageError: when something stands there that was not drawn here.
    """
    # Not SIGN: whatever lies in an archive is one of its files.
    require_ours(folder, "drawn archive", "broken")
    make_folder(folder / "broken", "--archive")
    numbers = range(config.archive_count)
    orders = [Order(config.seed, ARCHIVE, n % 2 == 0, n, config.offices, config.habit) for n in numbers]
    rng = np.random.default_rng([config.seed, 5])
    files, sample, truth = 0, b"", []
    for number, drawn in enumerate(drawn_in_order(orders, "demo archive")):
        for _ in range(2 if rng.random() < DUPLICATES else 1):
            path = place(rng, number + files, drawn.extension)
            _write(folder / path, drawn.data)
            truth.append({"path": str(path), **drawn.row})
            files += 1
        sample = drawn.data
    for name, data in broken_files(sample, rng) if sample else ():
        _write(folder / name, data)
        files += 1
    if config.archive_truth is not None:
        config.archive_truth.parent.mkdir(parents=True, exist_ok=True)
        _write_rows(config.archive_truth, truth)
    return files


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _write_logos(folder: Path, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, logo in enumerate(draw_logos(seed)):
        logo.image.save(folder / f"logo_{number:02d}.png")


def _write_rows(target: Path, rows: Sequence[dict[str, Any]]) -> None:
    write_atomically(target, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
