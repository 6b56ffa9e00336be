"""python benchmarks/learning_curve.py --real DIR --out DIR [--sizes 100 300] [--folds 3] [--texts CACHE] [--plot SVG]

What are a few labelled images of one's own worth, from the models that come with the package and from nothing? The real
sources are dealt into folds. For each fold, gate and elements are trained on so many of the other folds' images, and on
all of them, from the starter and from random weights, and are scored on the fold that they have not seen. A smaller
number of images is part of the larger one's.

The folder is in the layout of train_data/; every row has a `source`. Its images are linked, not copied. Prints a
Markdown table that grows with every fold: the gate's AUC and the elements' mean average precision over those of at
least ten charts, on the pixels and with what is written, means over the folds. The same command goes on where it
stopped.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
from elements_on_real_charts import BATCH, LEAST_CHARTS, judged, texts, within_folds
from leave_sources_out import Row, folds, job, labels, prepare

from meteo_ray.gate.predictor import GatePredictor
from meteo_ray.gate.rows import gate_rows
from meteo_ray.imaging.load import load_image
from meteo_ray.judging.starter import STARTER
from meteo_ray.metrics.binary import area_under_roc
from meteo_ray.schema import TEST
from meteo_ray.streaming.index import read_index
from meteo_ray.text.table import with_texts

plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "benchmarks", "font.size": 9})

# The network of the starter models.
INPUT_SIZE = "160,120"

# From random weights a hundred images are four batches: small batches and more epochs than usual do them justice.
FROM_NOTHING = ("--training.batch-size", 32)
STARTS: dict[str, dict[str, tuple[Any, ...]]] = {
    "starter": {"gate": ("--gate.init", "starter"), "elements": ("--elements.init", "starter")},
    "nothing": {
        "gate": ("--gate.init", "none", "--gate.input-size", INPUT_SIZE, "--gate.full-epochs", 30, *FROM_NOTHING),
        "elements": (
            *("--elements.init", "none", "--elements.backbone", "resnet18", "--elements.input-size", INPUT_SIZE),
            *("--elements.full-epochs", 30, "--elements.borrowed-positives", 1000, *FROM_NOTHING),
        ),
    },
}

# A point of a curve: what was started from, and the number of labelled images; ALL stands for all that there are.
Point = tuple[str, int]
ALL = sys.maxsize

# What each fold's models answer at a point: the gate's AUC by what it was given, and the elements' scores.
Found = dict[Point, list[dict[str, Any]]]

GIVEN = {"image": "on the pixels", "image_and_text": "with what is written"}


def main() -> int:
    options = parse_options()
    found: Found = {}
    for number, rows in enumerate(folds(labels(options.real), kind, options.folds, options.seed)):
        known = sum(row["split"] != "test" for row in rows)
        for size in (*(size for size in options.sizes if size < known), ALL):
            folder = options.out / f"fold_{number}" / ("all" if size == ALL else str(size))
            labelled(folder / "data", rows, size, options)
            for start in STARTS:
                found.setdefault((start, size), []).append(trained(folder, start))
        found.setdefault(("starter", 0), []).append(scored(folder / "data", STARTER))
        print(table(found), flush=True)
    if options.plot:
        plot(found, options.plot)
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 300], help="labelled images, besides all")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--texts", type=Path, help="a cache of what was read, as read_text.py --cache keeps it")
    parser.add_argument("--plot", type=Path, help="draw the curves into this SVG file")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def kind(row: Row) -> Any:
    return next(iter(row.get("labels") or ()), "") if row["is_meteo"] else "no chart"


def labelled(data: Path, rows: Sequence[Row], size: int, options: argparse.Namespace) -> None:
    """A prepared and read folder of the fold's test images and of `size` others, drawn by chance."""
    known = [row for row in rows if row["split"] != "test"]
    order = np.random.default_rng(options.seed).permutation(len(known))
    chosen = [known[position] for position in sorted(order[:size])]
    prepare(data, [*chosen, *(row for row in rows if row["split"] == "test")], options.real / "images", data / "none")
    job("read_text", "--data", data, "--cache", options.texts or options.out / "texts")


def trained(folder: Path, start: str) -> dict[str, Any]:
    models = folder / start
    for stage, flags in STARTS[start].items():
        job(f"train_{stage}", "--data", folder / "data", "--models", models, *flags)
    return scored(folder / "data", models)


def scored(data: Path, models: Path) -> dict[str, Any]:
    """The gate's AUC on the fold's test images, ambiguous ones left out, and the elements' answers for its charts."""
    rows = with_texts(gate_rows(read_index(data), TEST, skip_ambiguous=True), data)
    predictor = GatePredictor.load(models / "gate", "cpu", precision="fp32")
    parts = [gate_scores(predictor, rows.slice(start, BATCH), data) for start in range(0, rows.num_rows, BATCH)]
    targets = rows["is_meteo"].to_numpy()
    gate = {name: area_under_roc(targets, np.concatenate([part[name] for part in parts])) for name in GIVEN}
    return {"gate": gate, "elements": judged(data, models)}


def gate_scores(predictor: GatePredictor, rows: pa.Table, data: Path) -> dict[str, np.ndarray]:
    images = np.stack([load_image(data / path).pixels for path in rows["path"].to_pylist()])
    seen, heard = predictor({"image": images}), predictor({"image": images, **texts(rows)})
    return {"image": seen["gate_score"], "image_and_text": heard["gate_score"]}


def measures(folds_found: Sequence[dict[str, Any]]) -> dict[tuple[str, str], float]:
    """By stage and what is given, a point's mean over the folds."""
    found = {("gate", name): float(np.mean([fold["gate"][name] for fold in folds_found])) for name in GIVEN}
    answers = [fold["elements"] for fold in folds_found]
    charts = np.sum([part["targets"].sum(axis=0) for part in answers], axis=0)
    measured = np.flatnonzero(charts >= LEAST_CHARTS)
    for name in GIVEN:
        found["elements", name] = float(np.mean([within_folds(answers, name, label) for label in measured]))
    return found


def table(found: Found) -> str:
    columns = [(stage, name) for stage in ("gate", "elements") for name in GIVEN]
    heads = [f"{'AUC' if stage == 'gate' else 'mAP'} of {stage}, {GIVEN[name]}" for stage, name in columns]
    lines = ["| images | from | " + " | ".join(heads) + " |", "|---:|---|" + "---:|" * len(heads)]
    for start, size in sorted(found, key=lambda point: (point[1], point[0])):
        values = measures(found[start, size])
        cells = " | ".join(f"{values[column]:.3f}" for column in columns)
        lines.append(f"| {'all' if size == ALL else size} | {start} | {cells} |")
    return "\n".join(lines)


def plot(found: Found, file: Path) -> None:
    """Each stage's curves: without training, then after 100, 300 and all images."""
    sizes = sorted({size for _, size in found})
    names = ["all" if size == ALL else str(size) for size in sizes]
    figure, panels = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    for axes, stage, unit in zip(panels, ("gate", "elements"), ("AUC", "mAP"), strict=True):
        for start, colour in zip(STARTS, ("tab:blue", "tab:orange"), strict=True):
            for name, line in zip(GIVEN, ("--", "-"), strict=True):
                places = [place for place, size in enumerate(sizes) if (start, size) in found]
                values = [measures(found[start, sizes[place]])[stage, name] for place in places]
                axes.plot(places, values, line, marker="o", color=colour, label=f"from {start}, {GIVEN[name]}")
        axes.set_xticks(range(len(sizes)), names)
        axes.set(title=f"{stage}: {unit} on unseen sources", xlabel="labelled images")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.savefig(file, metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
