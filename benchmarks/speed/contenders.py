"""python -m benchmarks.speed.contenders '{"kind": "pillow", ...}'

One contender in a process of its own: it reads folders from stdin, a JSON line each, judges every image in them, and
answers each with a JSON line: how many seconds it took, and, where asked, the answers themselves. What is started once
(Ray, models) is there before the first answer.

All of them do the same work on the same files: decode, fit to 320x240, judge with the same predictors. They differ in
who decodes and in what carries the pixels.

    pillow      one process: Pillow decodes the whole image, one after the other
    loader      torch's DataLoader with workers around the same function
    loader_own  the same, with this project's decoder, so that decoder and engine can be told apart
    ray_docs    Ray Data as its documentation shows it: read_images, map, map_batches
    own         this project's job, jobs/classify_archive.py
    floor       not a contender: one stage's bare work, again and again, for so many seconds (floors.py)
"""

import json
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.judges import Answers, Judge, StandIn

BATCH = 64

Contender = Callable[[Path, bool], Answers]
"""Judges a folder; its answers by file name, which it may leave out where they are not asked for."""


def main() -> int:
    """Answer one line after the other, until there is none."""
    replies = os.fdopen(os.dup(1), "w")  # what libraries print goes to stderr
    os.dup2(2, 1)
    logging.basicConfig(level=logging.WARNING)
    options = json.loads(sys.argv[1])
    contend = make(**options)
    print(json.dumps({"ready": os.getpid()}), file=replies, flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        started = time.perf_counter()
        answer = contend(**{**asked, "folder": Path(asked["folder"])})
        print(json.dumps({"seconds": time.perf_counter() - started, "answer": answer}), file=replies, flush=True)
    return 0


def make(kind: str, **options: Any) -> Callable[..., Any]:
    """The contender of that kind, with what it needs once."""
    if kind == "floor":
        from benchmarks.speed.floors import floor

        return floor(**options)
    kinds: dict[str, Callable[..., Contender]] = {
        "pillow": pillow,
        "loader": partial(loader, decoder=whole),
        "loader_own": partial(loader, decoder=own_decoder),
        "ray_docs": ray_docs,
        "own": own,
    }
    return kinds[kind](**options)


def whole(path: Path) -> np.ndarray:
    """As anybody would: Pillow decodes all of it. The same pixels as the project's, but for JPEGs read at half size."""
    from PIL import Image

    from meteo_ray.imaging.fit import fit

    with Image.open(path) as image:
        return fit(image.convert("RGB"))


def own_decoder(path: Path) -> np.ndarray:
    from meteo_ray.imaging.load import load_image

    return load_image(path).pixels


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def pillow(judge: dict[str, Any], workers: int) -> Contender:
    judges = Judge(**judge)

    def contend(folder: Path, answers: bool = False) -> Answers:
        paths = files_of(folder)
        batches = (paths[start : start + BATCH] for start in range(0, len(paths), BATCH))
        return judges.over(((names_of(batch), np.stack([whole(path) for path in batch])) for batch in batches), answers)

    return contend


def names_of(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


class Files:
    """A map-style torch dataset: name and pixels of a file."""

    def __init__(self, paths: list[Path], decoder: Callable[[Path], np.ndarray]) -> None:
        self._paths, self._decoder = paths, decoder

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, place: int) -> tuple[str, np.ndarray]:
        return self._paths[place].name, self._decoder(self._paths[place])


def loader(judge: dict[str, Any], workers: int, decoder: Callable[[Path], np.ndarray]) -> Contender:
    from torch.utils.data import DataLoader

    judges = Judge(**judge)

    def contend(folder: Path, answers: bool = False) -> Answers:
        files = Files(files_of(folder), decoder)
        loaded: Any = DataLoader(files, batch_size=BATCH, num_workers=workers)  # type: ignore[arg-type]
        return judges.over(((list(names), images.numpy()) for names, images in loaded), answers)

    return contend


def ray_docs(judge: dict[str, Any], workers: int) -> Contender:
    """After "Image classification batch inference" in Ray's documentation; its transform is the fit to 320x240."""
    import ray
    import torch

    from meteo_ray import cluster

    cluster.connect()
    gpus = torch.cuda.device_count()
    # On a CPU the documentation gives each of some actors one core; the others are left to the readers.
    pool = ray.data.ActorPoolStrategy(size=gpus or max(1, int(ray.cluster_resources()["CPU"]) // 2))
    place: dict[str, Any] = {"num_gpus": 1} if gpus else {"num_cpus": 1}

    def contend(folder: Path, answers: bool = False) -> Answers:
        images = ray.data.read_images(str(folder), mode="RGB", include_paths=True)
        rows = images.map(fitted)
        if judge["stages"]:
            rows = rows.map_batches(JudgeBatches, fn_constructor_kwargs=judge, batch_size=BATCH, compute=pool, **place)
            return _collected(rows.iter_batches(batch_size=BATCH, batch_format="numpy"), answers)
        read = rows.iter_batches(batch_size=BATCH, batch_format="numpy")
        return Judge(**judge).over(((batch["name"].tolist(), batch["image"]) for batch in read), answers)

    return contend


def fitted(row: dict[str, Any]) -> dict[str, Any]:
    from PIL import Image

    from meteo_ray.imaging.fit import fit

    return {"image": fit(Image.fromarray(row["image"])), "name": Path(row["path"]).name}


class JudgeBatches:
    """The model class of the documentation's example."""

    def __init__(self, **judge: Any) -> None:
        self._judge = Judge(**judge)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = self._judge.answers(batch["image"])
        return {"name": batch["name"], "answer": np.array([json.dumps(answer) for answer in found], dtype=object)}


def _collected(batches: Iterable[dict[str, np.ndarray]], answers: bool) -> Answers:
    found: Answers = {}
    for batch in batches:
        if answers:
            found |= {str(name): json.loads(one) for name, one in zip(batch["name"], batch["answer"], strict=True)}
    return found


def own(judge: dict[str, Any], workers: int | None) -> Contender:
    """`workers` None: as many readers as the job takes by itself."""
    import pyarrow.parquet as pq

    from meteo_ray import cluster
    from meteo_ray.archive.cascade.models import Model, Models
    from meteo_ray.archive.config import ArchiveConfig, Reading
    from meteo_ray.archive.run import classify
    from meteo_ray.stages import CASCADE
    from meteo_ray.vocabulary import load_vocabulary

    cluster.connect()

    def contend(
        folder: Path, answers: bool = False, sleep_s: float = 0.0, log: str | None = None, readers: int | None = None
    ) -> Answers:
        models = None
        if not judge["stages"]:
            stand_in: Any = partial(StandIn, answers, sleep_s, log)
            models = Models([Model("gate", StandIn.version, CASCADE["gate"], stand_in)], load_vocabulary())
        with tempfile.TemporaryDirectory(dir=folder.parent.parent) as scratch:
            out = Path(scratch, "out")
            config = ArchiveConfig(
                archive=folder,
                models=Path(judge["models"] or Path(scratch, "models")),
                out=out,
                stages=tuple(judge["stages"] or ("gate",)),
                max_bad=0.0,
                reading=Reading(workers=readers or workers),
            )
            classify(config, models)
            rows = pq.read_table(out / "predictions", columns=["path", "gate_score", "is_meteo", "elements"])
            shutil.rmtree(out)
        return _named(rows.to_pylist(), bool(judge["stages"])) if answers else {}

    return contend


def _named(rows: list[dict[str, Any]], judged: bool) -> Answers:
    found: Answers = {}
    for row in rows:
        elements = None if row["elements"] is None else sorted(one["id"] for one in row["elements"])
        answer = {"score": row["gate_score"], "chart": row["is_meteo"], "elements": elements}
        found[row["path"]] = answer if judged else {"score": row["gate_score"], "chart": None, "elements": None}
    return found


if __name__ == "__main__":
    sys.exit(main())
