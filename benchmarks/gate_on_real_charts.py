"""python benchmarks/gate_on_real_charts.py --real DIR --drawn DIR --out DIR [--folds 5] [--drawn-models MODELS]

How well does a gate without ImageNet's weights know charts that nobody drew for it? It is trained on drawn images
alone. Then the real sources are dealt into folds; for each fold that gate goes on with the other folds' images and
some drawn ones, and is scored on the fold that it has not seen, beside gradient boosting trained on the real images.

Both folders are in the layout of train_data/; every row of the real one has a `source`. The real images are linked, not
copied; the folder of drawn ones is prepared if it was not. Prints a Markdown table that grows with every fold. The same
command goes on where it stopped.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "jobs" / "gate_from_scratch"
Rows = list[dict[str, Any]]

# Of the sources that a fold trains on, about a seventh validates: best epoch, threshold and calibration.
VALIDATION_FOLDS = 7

# The drawn images' own test says little, so nearly all of them train.
DRAWN_FRACTIONS = ("--fractions.train", 0.9, "--fractions.validation", 0.05, "--fractions.test", 0.05)

COLUMNS = ("images", "charts", "drawn_alone", "boosting", "gate", "low", "high", "f1")


def main() -> int:
    options = parse_options()
    if not is_prepared(options.drawn):
        job("prepare_data", "--data", options.drawn, *DRAWN_FRACTIONS)
    drawn_models = options.drawn_models or train_on_drawn(options)
    table = []
    for number, rows in enumerate(folds(labels(options.real), options)):
        folder = options.out / f"fold_{number}"
        prepare(folder / "data", rows, options.real / "images", options.drawn / "logos")
        start = ("--gate.init", drawn_models / "gate", "--gate.auxiliary.data", options.drawn)
        train(folder / "data", folder / "models", options.fine_tune, *start)
        table.append(score(folder, drawn_models))
        print(markdown(table), flush=True)
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("real", "drawn", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--drawn-models", type=Path, help="with a gate trained on drawn images; default: train one")
    parser.add_argument("--pretrain", type=Path, default=CONFIGS / "pretrain.yaml")
    parser.add_argument("--fine-tune", type=Path, default=CONFIGS / "fine_tune.yaml")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def train_on_drawn(options: argparse.Namespace) -> Path:
    """Models whose gate has seen drawn images alone."""
    models: Path = options.out / "drawn_alone" / "models"
    train(options.drawn, models, options.pretrain)
    return models


def labels(folder: Path) -> Rows:
    lines = (folder / "labels.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def folds(real: Rows, options: argparse.Namespace) -> Iterator[Rows]:
    """The real rows once a fold, with their `split`: no source is in two splits, and charts are spread evenly."""
    charts = np.array([row["is_meteo"] for row in real])
    sources = np.array([row["source"] for row in real])
    outer = StratifiedGroupKFold(options.folds, shuffle=True, random_state=options.seed)
    inner = StratifiedGroupKFold(VALIDATION_FOLDS, shuffle=True, random_state=options.seed)
    for known, test in outer.split(charts, charts, sources):
        parts = [known[part] for _, part in inner.split(known, charts[known], sources[known])]
        # Sources differ so much in size that a part may hold few images or hardly any charts: of those of fair size
        # the most even one validates.
        large = [part for part in parts if len(part) >= len(known) / VALIDATION_FOLDS / 2]
        validation = min(large, key=lambda part: abs(charts[part].mean() - charts.mean()))
        split = np.full(len(real), "train", dtype=object)
        split[test], split[validation] = "test", "validation"
        yield [{**row, "split": name} for row, name in zip(real, split, strict=True)]


def prepare(data: Path, rows: Rows, images: Path, logos: Path) -> None:
    """A prepared data folder of `rows`, whose images and logos lie elsewhere."""
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    known = data / "labels.jsonl"
    if not known.is_file() or known.read_text("utf-8") != lines or not is_prepared(data):
        data.mkdir(parents=True, exist_ok=True)
        link(data / "images", images)
        link(data / "logos", logos)
        shutil.rmtree(data / "index", ignore_errors=True)  # killed before the next one is made, it would pass for it
        known.write_text(lines, "utf-8")
        job("prepare_data", "--data", data, "--split-by", "given", "--allow-leakage")


def is_prepared(data: Path) -> bool:
    return (data / "index" / "index.parquet").is_file()


def train(data: Path, models: Path, config: Path, *flags: Any) -> None:
    job("train_gate", "--data", data, "--models", models, "--config", config, *flags)


def score(folder: Path, drawn_alone: Path) -> dict[str, float]:
    """One line of the table: AUC on the fold's unseen sources, images as they are, ambiguous ones left out."""
    common = ("--data", folder / "data", "--stage", "gate", "--no-augmentation.enabled")
    for models, name, more in ((drawn_alone, "drawn_alone", ()), (folder / "models", "gate", ("--baseline",))):
        report = ("--report", folder / f"{name}.html")
        job("evaluate", *common, "--models", models, "--out", folder / f"{name}.json", *report, *more)
    before, after = (json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("drawn_alone", "gate"))
    gate, (low, high) = after["gate"], after["gate"]["interval"]["auc"]
    found = (gate["rows"], gate["positives"], before["gate"]["auc"], gate["baseline"]["auc"], gate["auc"], low, high)
    return dict(zip(COLUMNS, (*found, gate["f1"]), strict=True))


def markdown(table: list[dict[str, float]]) -> str:
    """The folds and their mean."""
    lines = ["| fold | " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    named = [*enumerate(table), ("mean", {name: float(np.mean([row[name] for row in table])) for name in COLUMNS})]
    for name, row in named:
        values = [f"{row[column]:.0f}" if column in COLUMNS[:2] else f"{row[column]:.3f}" for column in COLUMNS]
        lines.append(f"| {name} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def link(place: Path, target: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        raise SystemExit(f"{place}: not this benchmark's link; give --out a folder of its own")
    if not place.exists() and target.exists():
        place.symlink_to(target.resolve(), target_is_directory=True)


def job(name: str, *arguments: Any) -> None:
    subprocess.run([sys.executable, str(ROOT / "jobs" / f"{name}.py"), *map(str, arguments)], check=True)


if __name__ == "__main__":
    sys.exit(main())
