"""python benchmarks/element_heads.py --data DIR --out DIR [--config FILE] [--heads NAME ...] [--seed 0]

Which head names elements best? Trains the element stage on one prepared data folder once for every head and loss, with
the same config, seed and epochs, no trees and no text, and scores each on the test split as it is.

Prints a Markdown table that grows with every training: mean average precision and F1 of the stage's answer, and mean
average precision of each head alone, for the default has two. The same command goes on where it stopped.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from leave_sources_out import ROOT, job, train

HEADS: dict[str, tuple[str, ...]] = {
    "bce": ("--elements.sequence-weight", "0"),
    "sequence": ("--elements.parallel-weight", "0"),
    "both": (),
    "both-asymmetric": ("--elements.parallel-loss", "asymmetric"),
    "both-rare": ("--elements.rare-share", "0.1"),
    "query": ("--elements.parallel-head", "query"),
    "query-asymmetric": ("--elements.parallel-head", "query", "--elements.parallel-loss", "asymmetric"),
}
"""Name -> flags of jobs/train_elements.py: the parallel head alone (BCE), the sequence head alone, both as by default,
with asymmetric loss, with rare elements more often; queries in the parallel head's place, with either loss."""

COLUMNS = ("map", "micro_f1", "macro_f1", "sequence_micro_f1")


def main() -> int:
    options = parse_options()
    lines = [
        "| head | mAP | micro-F1 | macro-F1 | micro-F1 of the sequences | mAP by head |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for name in options.heads or HEADS:
        lines.append(line(name, score(name, options)))
        print("\n".join(lines), flush=True)
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=ROOT / "jobs" / "demo" / "elements.yaml")
    parser.add_argument("--heads", nargs="+", choices=HEADS, help="default: all")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def score(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """What evaluation finds of a model trained with the flags of `name`."""
    folder = options.out / name
    alone = ("--no-elements.descriptors", "--no-elements.text", "--training.seed", options.seed)
    train("elements", options.data, folder / "models", options.config, *HEADS[name], *alone)
    judged = ("--stage", "elements", "--no-augmentation.enabled", "--no-text", "--out", folder / "metrics.json")
    job("evaluate", "--data", options.data, "--models", folder / "models", *judged)
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text("utf-8"))["elements"]
    return found


def line(name: str, found: dict[str, Any]) -> str:
    by_head = ", ".join(
        f"{head} {of['map']:.3f}" for head, of in found["voters"].items() if head in ("parallel", "sequence")
    )
    return f"| {name} | " + " | ".join(f"{found[column]:.3f}" for column in COLUMNS) + f" | {by_head} |"


if __name__ == "__main__":
    sys.exit(main())
