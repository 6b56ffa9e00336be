"""python benchmarks/gate_on_real_charts.py --real DIR --drawn DIR --out DIR [--folds 5] [--drawn-models MODELS]

How well does a gate without ImageNet's weights know charts that nobody drew for it? It is trained on drawn images
alone. Then the real sources are dealt into folds; for each fold that gate goes on with the other folds' images and
some drawn ones, and is scored on the fold that it has not seen, beside gradient boosting trained on the real images.

Both folders are in the layout of train_data/; every row of the real one has a `source`. The real images are linked, not
copied; the folder of drawn ones is prepared if it was not. Prints a Markdown table that grows with every fold. The same
command goes on where it stopped.
"""

import json
import sys
from pathlib import Path
from typing import Any

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

COLUMNS = ("images", "charts", "drawn_alone", "boosting", "gate", "low", "high", "f1")


def main() -> int:
    options = parse_options(str(__doc__), CONFIGS)
    if not is_prepared(options.drawn):
        job("prepare_data", "--data", options.drawn, *DRAWN_FRACTIONS)
    drawn_alone = drawn_models(options, "gate")
    table = []
    for number, rows in enumerate(folds(labels(options.real), is_meteo, options.folds, options.seed)):
        folder = options.out / f"fold_{number}"
        prepare(folder / "data", rows, options.real / "images", options.drawn / "logos")
        start = ("--gate.init", drawn_alone / "gate", "--gate.auxiliary.data", options.drawn)
        train("gate", folder / "data", folder / "models", options.fine_tune, *start)
        table.append(score(folder, drawn_alone))
        print(markdown(table, COLUMNS, COLUMNS[:2]), flush=True)
    return 0


def is_meteo(row: Row) -> Any:
    return row["is_meteo"]


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


if __name__ == "__main__":
    sys.exit(main())
