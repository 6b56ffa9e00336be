"""python benchmarks/int8_elements.py --models MODELS --data DIR [--split test] [--rounds 20]

What do 8 bits save, and what do they cost? For the trained elements' image encoder in float32, bfloat16 and 8-bit
integers: the size of its weights, milliseconds an image on one thread, and the mean average precision of the whole
stage (with what votes beside the network on the pixels; no text is read) on a split of a prepared data folder.

The three take turns in every round, so that what else the machine does falls on all of them alike; the median of the
rounds counts. Prints a Markdown table. bfloat16 is only fast where the processor computes it (AVX512-BF16, AMX).
"""

import argparse
import io
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from meteo_ray.elements.predictor import ElementsPredictor
from meteo_ray.elements.rows import labelled_charts
from meteo_ray.imaging.load import load_image
from meteo_ray.metrics.multilabel import multilabel_metrics
from meteo_ray.schema import SPLITS
from meteo_ray.streaming.index import read_index
from meteo_ray.training.device import autocast
from meteo_ray.vocabulary import choose_vocabulary

KINDS = {"fp32": {"precision": "fp32"}, "bf16": {"precision": "bf16"}, "int8": {"quantize": "int8"}}

# Images in one call, as the predictor takes them on a CPU.
BATCH = 16


def main() -> int:
    options = parse_options()
    rows = labelled_charts(read_index(options.data), options.split)
    if not rows.num_rows:
        raise SystemExit(f"{options.data}: no chart of the {options.split} split has known elements")
    vocabulary = choose_vocabulary(None, options.data)
    folder = options.models / "elements"
    predictors = {
        name: ElementsPredictor.load(folder, "cpu", vocabulary, **settings) for name, settings in KINDS.items()
    }
    first = pixels(rows.slice(0, BATCH), options.data)
    seconds = interleaved(predictors, first, options.rounds)
    scores = judged(predictors, rows, options.data)
    targets = np.array([vocabulary.multi_hot(names) for names in rows["elements"].to_pylist()], dtype=bool)
    print(f"{options.split} split, {rows.num_rows} charts; one thread, {len(first)} images a call")
    print("| encoder | weights | an image | mAP |\n|---|---:|---:|---:|")
    for name, predictor in predictors.items():
        found = mean_precision(targets, scores[name], predictor.element_ids)
        print(f"| {name} | {megabytes(predictor, name):.1f} MB | {1000 * seconds[name]:.1f} ms | {found:.4f} |")
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="the folder with the bundle elements/")
    parser.add_argument("--data", type=Path, required=True, help="a prepared data folder")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--rounds", type=int, default=20, help="calls of each encoder that are timed")
    return parser.parse_args()


def pixels(rows: pa.Table, data: Path) -> np.ndarray:
    """uint8 `(rows, 240, 320, 3)`."""
    return np.stack([load_image(data / path).pixels for path in rows["path"].to_pylist()])


@torch.inference_mode()
def interleaved(predictors: Mapping[str, ElementsPredictor], images: np.ndarray, rounds: int) -> dict[str, float]:
    """Seconds an image of each encoder, the median of the rounds after one that does not count."""
    torch.set_num_threads(1)
    batch = torch.from_numpy(images)
    taken: dict[str, list[float]] = {name: [] for name in predictors}
    for _ in range(rounds + 1):
        for name, predictor in predictors.items():
            started = time.perf_counter()
            with autocast(predictor.device, predictor.precision):
                predictor.model.encoder(batch)
            taken[name].append(time.perf_counter() - started)
    return {name: float(np.median(times[1:])) / len(images) for name, times in taken.items()}


def megabytes(predictor: ElementsPredictor, name: str) -> float:
    """What the encoder's weights take when they are saved as they are computed with."""
    tensors = predictor.model.encoder.state_dict()
    if name == "bf16":  # kept in float32 and converted by autocast
        tensors = {key: tensor.bfloat16() if tensor.is_floating_point() else tensor for key, tensor in tensors.items()}
    file = io.BytesIO()
    torch.save(tensors, file)
    return file.tell() / 1e6


def judged(predictors: Mapping[str, ElementsPredictor], rows: pa.Table, data: Path) -> dict[str, np.ndarray]:
    """Scores of every chart by every predictor, `(charts, labels)`."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in predictors}
    for start in range(0, rows.num_rows, BATCH):
        images = pixels(rows.slice(start, BATCH), data)
        for name, predictor in predictors.items():
            parts[name].append(predictor({"image": images})["element_scores"])
    return {name: np.concatenate(scores) for name, scores in parts.items()}


def mean_precision(targets: np.ndarray, scores: np.ndarray, names: tuple[str, ...]) -> float:
    """Over the labels that the model knows: the first ones of the vocabulary."""
    known = targets[:, : len(names)]
    found: float | None = multilabel_metrics(known, scores, np.zeros(len(names)), names)["map"]
    return float("nan") if found is None else found


if __name__ == "__main__":
    sys.exit(main())
