"""What the benchmarks that leave whole sources out share: folds, prepared folders of linked images, jobs, tables."""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

ROOT = Path(__file__).resolve().parents[1]
Row = dict[str, Any]

# Of the sources that a fold trains on, about a seventh validates: best epoch, thresholds and calibration.
VALIDATION_FOLDS = 7

# The drawn images' own test says little, so nearly all of them train.
DRAWN_FRACTIONS = ("--fractions.train", 0.9, "--fractions.validation", 0.05, "--fractions.test", 0.05)


def parse_options(document: str, configs: Path) -> argparse.Namespace:
    """What every such benchmark is asked; `configs` holds pretrain.yaml and fine_tune.yaml."""
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("real", "drawn", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--drawn-models", type=Path, help="models trained on drawn images; default: train them")
    parser.add_argument("--pretrain", type=Path, default=configs / "pretrain.yaml")
    parser.add_argument("--fine-tune", type=Path, default=configs / "fine_tune.yaml")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def drawn_models(options: argparse.Namespace, stage: str) -> Path:
    """Models whose stage has learnt from drawn images alone: those given, or trained now."""
    if options.drawn_models:
        return Path(options.drawn_models)
    models: Path = options.out / "drawn_alone" / "models"
    train(stage, options.drawn, models, options.pretrain)
    return models


def train(stage: str, data: Path, models: Path, config: Path, *flags: Any) -> None:
    job(f"train_{stage}", "--data", data, "--models", models, "--config", config, *flags)


def labels(folder: Path) -> list[Row]:
    lines = (folder / "labels.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def folds(real: Sequence[Row], kind: Callable[[Row], Any], count: int, seed: int) -> Iterator[list[Row]]:
    """The real rows once a fold, with their `split`: no source is in two splits, and kinds are spread evenly."""
    kinds = np.unique([str(kind(row)) for row in real], return_inverse=True)[1]
    sources = np.array([row["source"] for row in real])
    outer = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    inner = StratifiedGroupKFold(VALIDATION_FOLDS, shuffle=True, random_state=seed)
    for known, test in outer.split(kinds, kinds, sources):
        parts = [known[part] for _, part in inner.split(known, kinds[known], sources[known])]
        split = np.full(len(real), "train", dtype=object)
        split[test], split[_most_even(parts, kinds, len(known))] = "test", "validation"
        yield [{**row, "split": name} for row, name in zip(real, split, strict=True)]


def _most_even(parts: Sequence[np.ndarray], kinds: np.ndarray, known: int) -> np.ndarray:
    """Sources differ so much in size that a part may hold few images or hardly any charts: of those of fair size the
    one whose kinds are spread most like all rows'."""
    large = [part for part in parts if len(part) >= known / VALIDATION_FOLDS / 2]
    usual = np.bincount(kinds) / len(kinds)

    def unevenness(part: np.ndarray) -> float:
        return float(np.abs(np.bincount(kinds[part], minlength=len(usual)) / len(part) - usual).sum())

    return min(large, key=unevenness)


def prepare(data: Path, rows: Sequence[Row], images: Path, logos: Path) -> None:
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


def link(place: Path, target: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        raise SystemExit(f"{place}: not this benchmark's link; give --out a folder of its own")
    if not place.exists() and target.exists():
        place.symlink_to(target.resolve(), target_is_directory=True)


def job(name: str, *arguments: Any) -> None:
    subprocess.run([sys.executable, str(ROOT / "jobs" / f"{name}.py"), *map(str, arguments)], check=True)


def markdown(table: Sequence[dict[str, float]], columns: Sequence[str], counts: Sequence[str]) -> str:
    """The folds and their mean; `counts` are columns of whole numbers."""
    lines = ["| fold | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    named = [*enumerate(table), ("mean", {name: float(np.mean([row[name] for row in table])) for name in columns})]
    for name, row in named:
        values = [f"{row[column]:.0f}" if column in counts else f"{row[column]:.3f}" for column in columns]
        lines.append(f"| {name} | " + " | ".join(values) + " |")
    return "\n".join(lines)
