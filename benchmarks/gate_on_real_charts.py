"""python benchmarks/gate_on_real_charts.py --real DIR --drawn DIR --out DIR [--folds 5] [--drawn-beside 2000]

How well does a gate without ImageNet's weights know charts that nobody drew for it? It is trained on drawn images
alone. Then the real sources are dealt into folds; for each fold that gate goes on with the other folds' images and
some drawn ones, and is scored on the fold that it has not seen, beside gradient boosting trained on the same rows.

Both folders are in the layout of train_data/; every row of the real one has a `source`. Images are linked, not copied.
Prints a Markdown table that grows with every fold. The same command goes on where it stopped.
"""

import argparse
import json
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

# Every tenth drawn image validates the first training.
DRAWN_VALIDATION = 10

# Of the sources that a fold trains on, about a seventh validates: best epoch, threshold and calibration.
VALIDATION_FOLDS = 7

COLUMNS = ("images", "charts", "drawn_alone", "boosting", "gate", "low", "high", "f1")


def main() -> int:
    options = parse_options()
    real, drawn = labels(options.real, "real"), labels(options.drawn, "drawn")
    first = options.out / "drawn_alone"
    train(first, validated_drawn(drawn), options, "--config", options.pretrain)
    beside = np.random.default_rng(options.seed).permutation(len(drawn))[: options.drawn_beside]
    table = []
    for number, rows in enumerate(folds(real, options)):
        folder = options.out / f"fold_{number}"
        rows += [{**drawn[row], "split": "train", "weight": options.drawn_weight} for row in beside]
        train(folder, rows, options, "--config", options.fine_tune, "--gate.init", first / "models" / "gate")
        table.append(score(folder, first / "models"))
        print(markdown(table), flush=True)
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("real", "drawn", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--pretrain", type=Path, default=CONFIGS / "pretrain.yaml")
    parser.add_argument("--fine-tune", type=Path, default=CONFIGS / "fine_tune.yaml")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--drawn-beside", type=int, default=2000, help="drawn images in every fold's training")
    parser.add_argument("--drawn-weight", type=float, default=0.15, help="how much each of them counts")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def labels(folder: Path, name: str) -> Rows:
    """The rows of a folder's labels.jsonl, their paths below images/`name`/."""
    lines = (folder / "labels.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    return [{**row, "path": row["path"].replace("images/", f"images/{name}/", 1)} for row in rows]


def validated_drawn(drawn: Rows) -> Rows:
    return [
        {**row, "split": "train" if number % DRAWN_VALIDATION else "validation"} for number, row in enumerate(drawn)
    ]


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


def train(folder: Path, rows: Rows, options: argparse.Namespace, *flags: Any) -> None:
    """Prepare `rows` in FOLDER/data, train a gate on them into FOLDER/models."""
    data = folder / "data"
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    known = data / "labels.jsonl"
    if not known.is_file() or known.read_text("utf-8") != lines or not (data / "index" / "index.parquet").is_file():
        for name, place in (("drawn", options.drawn), ("real", options.real)):
            link(data / "images" / name, place / "images")
        link(data / "logos", options.drawn / "logos")
        known.write_text(lines, "utf-8")
        job("prepare_data", "--data", data, "--split-by", "given", "--allow-leakage")
    job("train_gate", "--data", data, "--models", folder / "models", *flags)


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
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists() and target.exists():
        place.symlink_to(target.resolve(), target_is_directory=True)


def job(name: str, *arguments: Any) -> None:
    subprocess.run([sys.executable, str(ROOT / "jobs" / f"{name}.py"), *map(str, arguments)], check=True)


if __name__ == "__main__":
    sys.exit(main())
