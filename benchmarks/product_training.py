"""python benchmarks/product_training.py --data DIR --models DIR --base DIR --out DIR [--variants NAME ...] [--seeds 2]

How is the language model of the product stage best taught? Trains the stage on one prepared data folder, after the
element stage of `--models`, once for every variant and seed: by which loss, how often without the title that was read,
and with how many of the drawn titles telling the truth. Everything else is the same.

Prints a Markdown table that grows with every variant, means over the seeds, all on the test split. Of the images as
they are: top-1 of language model and shortlist together. Of the altered ones, for the probes are put to these: the
same; with a black picture; as if no text had been read; the language model's own, and with a black picture; and
together under the chart's own drawn title, another's and none. The same command goes on where it stopped.
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from kept_results import Results
from leave_sources_out import ROOT, job, link, train

from meteo_ray import bundle
from meteo_ray.files import read_json, sha256_of
from meteo_ray.products.base_model import GemmaBase
from meteo_ray.text.table import TEXTS_FILE

ALTERED = ("--products.augmentation.enabled",)
VARIANTS: dict[str, tuple[str, ...]] = {
    "answer": (),
    "candidates": ("--products.loss", "candidates"),
    "both": ("--products.loss", "both"),
    "always told the title": ("--products.untitled-share", "0"),
    "half told the title": ("--products.untitled-share", "0.5"),
    "never told the title": ("--no-products.title-in-prompt",),
    "no drawn titles": (*ALTERED, "--products.augmentation.title-share", "0"),
    "drawn titles, half true": (*ALTERED, "--products.augmentation.title-own-share", "0.5"),
    "drawn titles, 3/4 true": ALTERED,
    "drawn titles, all true": (*ALTERED, "--products.augmentation.title-own-share", "1"),
}
"""Name -> flags of jobs/train_products.py. The first row is the config's own; the last four alter training images."""

AS_IT_IS, WHOLE, BLACK, UNREAD = "as they are", "altered", "black", "unread"
ALONE, ALONE_BLACK = "language model", "language model, black"
TITLES = {"own": "own title", "other": "other's", "none": "no title"}
COLUMNS = (AS_IT_IS, WHOLE, BLACK, UNREAD, ALONE, ALONE_BLACK, *TITLES.values())


def main() -> int:
    options = parse_options()
    lines = ["| variant | " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    results = Results(options.out / "results.json", settings(options))
    for name in options.variants or VARIANTS:
        keys = [f"{name} {seed}" for seed in range(options.seeds)]
        for seed, key in enumerate(keys):
            results.get(key, partial(score, name, seed, options))
        lines.append(line(name, [results.measures[key] for key in keys]))
        print("\n".join(lines), flush=True)
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "models", "base", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=ROOT / "jobs" / "demo" / "products.yaml")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, help="default: all")
    parser.add_argument("--seeds", type=int, default=2)
    return parser.parse_args()


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """What every measure depends on beside the variant: contents, not where they lie."""
    stages = {name: sha256_of(options.models / name / bundle.SUMS) for name in ("gate", "elements")}
    index = options.data / "index"
    files = {"index": index / "index.parquet", "texts": index / TEXTS_FILE, "config": options.config}
    found = {name: sha256_of(path) for name, path in files.items() if path.is_file()}
    return {**found, **stages, "base": GemmaBase.open(options.base).digest}


def score(name: str, seed: int, options: argparse.Namespace) -> dict[str, float | None]:
    """COLUMNS of one training."""
    folder = options.out / f"{name} {seed}".replace(" ", "_").replace("/", "_")
    models, metrics = folder / "models", folder / "metrics.json"
    models.mkdir(parents=True, exist_ok=True)
    for stage in ("gate", "elements"):
        link(models / stage, options.models / stage)
    flags = ("--products.base-model", options.base, "--training.seed", seed, *VARIANTS[name])
    train("products", options.data, models, options.config, *flags)
    job("evaluate", "--stage", "products", "--data", options.data, "--models", models, "--out", metrics)
    return columns(read_json(metrics)["products"])


def columns(judged: dict[str, Any]) -> dict[str, float | None]:
    """COLUMNS of the products' entry in a metrics file; what was not measured is None."""
    titles = judged["slices"]["title"]
    return {
        AS_IT_IS: judged["as_they_are"]["top1"],
        WHOLE: judged["top1"],
        BLACK: judged["unseen"]["top1"],
        UNREAD: judged["unread"]["top1"],
        ALONE: judged["language_model_top1"],
        ALONE_BLACK: judged["unseen"]["language_model_top1"],
        **{title: titles.get(whose, {}).get("top1") for whose, title in TITLES.items()},
    }


def line(name: str, found: list[dict[str, float | None]]) -> str:
    """Means over trainings."""
    values = [[value for row in found if (value := row[column]) is not None] for column in COLUMNS]
    return f"| {name} | " + " | ".join(f"{np.mean(column):.3f}" if column else "–" for column in values) + " |"


if __name__ == "__main__":
    sys.exit(main())
