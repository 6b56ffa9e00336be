"""python benchmarks/product_training.py --data DIR --models DIR --base DIR --out DIR [--variants NAME ...] [--seeds 2]

How is the language model of the product stage best taught? Trains the stage on one prepared data folder, after the
element stage of `--models`, once for every variant and seed: by which loss, how often without the title that was read,
and with how many of the drawn titles telling the truth. Everything else is the same.

Prints a Markdown table that grows with every variant, means over the seeds: the language model's own top-1 on
validation; on the test split its top-1 together with the shortlist, with a black picture and as if no text had been
read; and on altered test images under the chart's own drawn title, another's and none. The same command goes on where
it stopped.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from leave_sources_out import ROOT, job, link, train

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

COLUMNS = ("language model", "test", "black", "unread", "own title", "other's", "no title")


def main() -> int:
    options = parse_options()
    lines = ["| variant | " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    for name in options.variants or VARIANTS:
        found = [score(name, seed, options) for seed in range(options.seeds)]
        lines.append(line(name, found))
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


def score(name: str, seed: int, options: argparse.Namespace) -> tuple[float | None, ...]:
    """COLUMNS of one training."""
    folder = options.out / f"{name} {seed}".replace(" ", "_").replace("/", "_")
    models, metrics = folder / "models", folder / "metrics.json"
    if not metrics.is_file():
        models.mkdir(parents=True, exist_ok=True)
        for stage in ("gate", "elements"):
            link(models / stage, options.models / stage)
        flags = ("--products.base-model", options.base, "--training.seed", seed, *VARIANTS[name])
        train("products", options.data, models, options.config, *flags)
        job("evaluate", "--stage", "products", "--data", options.data, "--models", models, "--out", metrics)
    judged: dict[str, Any] = json.loads(metrics.read_text("utf-8"))["products"]
    trained = json.loads((models / "products" / "metrics.json").read_text("utf-8"))
    plain, titles = judged["as_they_are"], judged["slices"]["title"]
    under = [titles.get(whose, {}).get("top1") for whose in ("own", "other", "none")]
    probes = [judged[probe]["top1"] for probe in ("unseen", "unread")]
    return (trained["language_model_top1"], plain["top1"], *probes, *under)


def line(name: str, found: list[tuple[float | None, ...]]) -> str:
    columns = [[value for value in column if value is not None] for column in zip(*found, strict=True)]
    return f"| {name} | " + " | ".join(f"{np.mean(column):.3f}" if column else "–" for column in columns) + " |"


if __name__ == "__main__":
    sys.exit(main())
