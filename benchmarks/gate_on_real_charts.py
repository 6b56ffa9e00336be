"""python benchmarks/gate_on_real_charts.py --real DIR --drawn DIR --out DIR [--folds 5] [--drawn-models MODELS]

How well does a gate without ImageNet's weights know charts that nobody drew for it, and what does it gain by reading?
It is trained on drawn images alone. Then the real sources are dealt into folds; for each fold that gate goes on with
the other folds' images and some drawn ones, and is scored on the fold that it has not seen, on its pixels and with what
is written, beside gradient boosting trained on the real images.

Both folders are in the layout of train_data/; every row of the real one has a `source`. The real images are linked, not
copied; the folder of drawn ones is prepared if it was not. Prints Markdown tables that grow with every fold: the folds,
the voters, and false alarms by the `kind` of image. The same command goes on where it stopped.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from leave_sources_out import (
    DRAWN_FRACTIONS,
    ROOT,
    Row,
    drawn_models,
    folds,
    is_prepared,
    job,
    labels,
    markdown,
    parse_options,
    prepare,
    train,
)

CONFIGS = ROOT / "jobs" / "gate_from_scratch"

COLUMNS = ("images", "charts", "drawn_alone", "boosting", "pixels", "gate", "low", "high", "f1")


def main() -> int:
    options = parse_options(str(__doc__), CONFIGS)
    if not is_prepared(options.drawn):
        job("prepare_data", "--data", options.drawn, *DRAWN_FRACTIONS)
    job("read_text", "--data", options.drawn)
    drawn_alone = drawn_models(options, "gate")
    scored = []
    for number, rows in enumerate(folds(labels(options.real), is_meteo, options.folds, options.seed)):
        folder = options.out / f"fold_{number}"
        prepare(folder / "data", rows, options.real / "images", options.drawn / "logos")
        job("read_text", "--data", folder / "data", "--cache", options.out / "texts")
        start = ("--gate.init", drawn_alone / "gate", "--gate.auxiliary.data", options.drawn)
        train("gate", folder / "data", folder / "models", options.fine_tune, *start)
        scored.append(score(folder, drawn_alone))
        lines = [fold_line(fold) for fold in scored]
        print(markdown(lines, COLUMNS, COLUMNS[:2]), voters(scored), false_alarms(scored), sep="\n\n", flush=True)
    return 0


def is_meteo(row: Row) -> Any:
    return row["is_meteo"]


def score(folder: Path, drawn_alone: Path) -> dict[str, dict[str, Any]]:
    """The gate's metrics on the fold's unseen sources, images as they are, ambiguous ones left out: of the model that
    saw drawn images alone and of the fold's, both on the pixels, and of the fold's with what is written."""
    common = ("--data", folder / "data", "--stage", "gate", "--no-augmentation.enabled")
    asked = {
        "drawn_alone": (drawn_alone, "--no-text"),
        "pixels": (folder / "models", "--no-text"),
        "gate": (folder / "models", "--baseline"),
    }
    found = {}
    for name, (models, flag) in asked.items():
        out = folder / f"{name}.json"
        job("evaluate", *common, "--models", models, "--out", out, "--report", out.with_suffix(".html"), flag)
        found[name] = json.loads(out.read_text("utf-8"))["gate"]
    return found


def fold_line(fold: dict[str, dict[str, Any]]) -> dict[str, float]:
    """AUC of each, and of the whole gate its interval and F1."""
    gate, (low, high) = fold["gate"], fold["gate"]["interval"]["auc"]
    found = (gate["rows"], gate["positives"], fold["drawn_alone"]["auc"], gate["baseline"]["auc"])
    return dict(zip(COLUMNS, (*found, fold["pixels"]["auc"], gate["auc"], low, high, gate["f1"]), strict=True))


def voters(scored: Sequence[dict[str, dict[str, Any]]]) -> str:
    """AUC of each voter alone and of all together, fold by fold and in the mean."""
    tables = [fold["gate"]["voters"] for fold in scored]
    lines = [
        "| voter | " + " | ".join(map(str, range(len(tables)))) + " | mean |",
        "|---|" + "---:|" * (len(tables) + 1),
    ]
    for name in [name for name in tables[0] if all(name in table for table in tables)]:
        values = [table[name]["auc"] for table in tables]
        lines.append(f"| {name} | " + " | ".join(f"{value:.3f}" for value in (*values, np.mean(values))) + " |")
    return "\n".join(lines)


def false_alarms(scored: Sequence[dict[str, dict[str, Any]]]) -> str:
    """How many images of each kind that are no charts pass, at the fitted thresholds: on the pixels, and with text."""
    counts: dict[str, dict[str, int]] = {}
    for fold in scored:
        for name in ("pixels", "gate"):
            for kind, found in fold[name]["slices"]["kind"].items():
                others = found["rows"] - found["positives"]
                line = counts.setdefault(kind, {"images": 0, "pixels": 0, "gate": 0})
                line[name] += round((found["false_alarm_rate"] or 0.0) * others)
                line["images"] += others if name == "gate" else 0
    lines = ["| no chart, but | images | passed on the pixels | with what is written |", "|---|---:|---:|---:|"]
    lines += [f"| {kind} | {found['images']} | {found['pixels']} | {found['gate']} |" for kind, found in counts.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
