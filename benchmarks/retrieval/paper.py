"""python -m benchmarks.retrieval.paper --cub DIR --out DIR [--bits 12 24 32 48] [--seeds 3] [--loss pairwise]
python -m benchmarks.retrieval.paper --folders DIR --out DIR [--samples 4000]

The paper's table on CUB-200-2011, or on any data set sorted into train/CLASS/ and test/CLASS/ (Aircraft, Food101,
NABirds): trains the retrieval stage by jobs/train_retrieval.py for every number of bits and every seed, and scores the
best epoch on held-out training images and the last one, never chosen by the test images, by three protocols:

solved      test images ask the codes that training solved for, with the labels in hand (the paper's);
network     they ask the training images, encoded by the network;
unseen      they ask the other test images, which no training has seen.

Expected mAP over all items, ties in any order. What differs from the paper: AdamW instead of SGD, the pixels that this
project prepares (320x240, whole images) instead of crops of 224, a tenth of the training images held out, and the
codes solved for after each of 50 x 30 short epochs (--epochs) instead of after every thirtieth. ImageNet's ResNet-50
has to lie on this machine. On a GPU; the same command goes on where it stopped.
"""

import argparse
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from benchmarks.kept_results import Results
from benchmarks.retrieval.data_sets import by_class, cub, prepared
from benchmarks.retrieval.scores import protocols
from meteo_ray import bundle
from meteo_ray.batch import objects
from meteo_ray.files import read_json
from meteo_ray.progress import ProgressLine
from meteo_ray.retrieval.model import DATABASE
from meteo_ray.retrieval.predictor import RetrievalPredictor
from meteo_ray.retrieval.relevance import classes_of, labelled
from meteo_ray.schema import TEST, TRAIN
from meteo_ray.streaming.index import read_index
from meteo_ray.streaming.pixels import PIXEL_COLUMNS, PreparePixels
from meteo_ray.training.checkpoint import load_model
from meteo_ray.vocabulary import Vocabulary, load_vocabulary

ROOT = Path(__file__).resolve().parents[2]
BATCH = 64


def main() -> int:
    options = _options()
    folder = (options.cub or options.folders).resolve()
    made = options.out.resolve() / "data"
    settings = {"data": folder, **{name: getattr(options, name) for name in ("epochs", "samples", "init")}}
    results = Results(options.out / "results.json", settings)
    if not (made / "index.parquet").is_file():
        prepared(folder, cub(folder) if options.cub else by_class(folder), made, seed=0)
    for bits in options.bits:
        for seed in range(options.seeds):
            key = f"{options.loss}, {bits} bits, seed {seed}"
            results.get(key, partial(_trained_and_scored, options, folder, made, bits, seed))
    print(table(results.measures))
    return 0


def table(results: dict[str, dict[str, dict[str, float]]]) -> str:
    """Mean and spread over seeds, in percent, of the best and of the last epoch."""
    groups: dict[str, list[dict[str, dict[str, float]]]] = {}
    for key, found in results.items():
        groups.setdefault(key.rpartition(", seed")[0], []).append(found)
    names = [(epoch, name) for epoch in ("best", "last") for name in ("solved", "network", "unseen")]
    lines = ["| | " + " | ".join(f"{name}, {epoch}" for epoch, name in names) + " |", "|---|" + "---:|" * len(names)]
    for key, runs in groups.items():
        cells = []
        for epoch, name in names:
            values = [100 * run[epoch][name] for run in runs if run[epoch].get(name) is not None]
            cells.append(f"{np.mean(values):.2f} ± {np.std(values):.2f}" if values else "-")
        lines.append(f"| {key} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _trained_and_scored(options: argparse.Namespace, folder: Path, made: Path, bits: int, seed: int) -> dict[str, Any]:
    models = options.out.resolve() / f"{options.loss}_{bits}_{seed}"
    flags = {
        "--data": folder,
        "--index": made,
        "--labels": made / "labels.yaml",
        "--cache": made / "cache",
        "--models": models,
        "--training.seed": seed,
        "--retrieval.bits": bits,
        "--retrieval.loss": options.loss,
        "--retrieval.epochs": options.epochs,
        "--retrieval.samples": options.samples,
        "--retrieval.init": options.init,
    }
    arguments = [str(part) for flag in flags.items() for part in flag]
    subprocess.run([sys.executable, str(ROOT / "jobs" / "train_retrieval.py"), *arguments], check=True)
    run = models / "runs" / str(read_json(models / "retrieval" / bundle.METRICS)["run"])
    last = sorted(run.glob("checkpoint_*"))[-1]
    index, vocabulary = read_index(folder, made), load_vocabulary(made / "labels.yaml")
    predictor = RetrievalPredictor.load(models / "retrieval")
    return {
        "best": _scores(predictor, load_model(run / "best"), index, vocabulary, folder, made),
        "last": _scores(predictor, load_model(last), index, vocabulary, folder, made),
    }


def _scores(
    predictor: RetrievalPredictor,
    state: dict[str, torch.Tensor],
    index: pa.Table,
    vocabulary: Vocabulary,
    folder: Path,
    made: Path,
) -> dict[str, Any]:
    solved = state.pop(DATABASE, None)
    predictor.model.load_state_dict(state)
    outputs, classes = {}, {}
    for split in (TRAIN, TEST):
        rows = labelled(index, split, "products")
        outputs[split] = _encoded(predictor, rows, folder, split)
        classes[split] = classes_of(rows["product"].to_pylist(), "products", vocabulary)
    codes = None if solved is None else solved.numpy().astype(np.float32)
    return protocols(outputs[TEST], classes[TEST], outputs[TRAIN], classes[TRAIN], codes)


def _encoded(predictor: RetrievalPredictor, rows: pa.Table, folder: Path, label: str) -> np.ndarray:
    pixels, line = PreparePixels(folder, 0, None, None), ProgressLine(f"codes of {label}", rows.num_rows)
    found = []
    for start in range(0, rows.num_rows, BATCH):
        part = rows.slice(start, BATCH)
        batch = pixels({name: objects(part[name].to_pylist()) for name in PIXEL_COLUMNS})
        if not batch["ok"].all():
            raise SystemExit(
                f"{folder}: some images cannot be read as they were indexed; remove OUT/data and run again"
            )
        found.append(predictor.encode(batch["image"])[0])
        line.update(part.num_rows)
    line.close()
    return np.concatenate(found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--cub", type=Path)
    source.add_argument("--folders", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bits", type=int, nargs="+", default=[12, 24, 32, 48])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--loss", choices=("pairwise", "pointwise"), default="pairwise")
    parser.add_argument("--epochs", type=int, default=1500)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--init", default="imagenet")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
