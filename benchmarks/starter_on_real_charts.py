"""python benchmarks/starter_on_real_charts.py --real DIR --out DIR [--models MODELS] [--whole WHOLE] [--texts CACHE]

What are the models worth that come with the package, on images that nobody drew for them? They have seen no real image,
so all of them are a test. Gate and elements answer on the pixels alone and with what is written; `--whole` names the
models that they were made of, to tell what it cost to make them small. The folder is in the layout of train_data/; its
images are linked, not copied. Prints a Markdown table; what was read is kept in OUT, or in the folder `--texts`.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from leave_sources_out import job, labels, prepare

from meteo_ray.judging.starter import STARTER

# What evaluate.py says of a stage, in the order of the table.
SHOWN = {"gate": ("auc", "precision", "recall", "f1"), "elements": ("map", "micro_f1", "macro_f1")}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", type=Path, default=STARTER)
    parser.add_argument("--whole", type=Path, help="the models before they were made small")
    parser.add_argument("--texts", type=Path, help="a cache of what was read, as read_text.py --cache keeps it")
    options = parser.parse_args()
    data = options.out / "data"
    prepare(data, [{**row, "split": "test"} for row in labels(options.real)], options.real / "images", data / "none")
    job("read_text", "--data", data, "--cache", options.texts or options.out / "texts")
    asked = {"small": options.models, **({"whole": options.whole} if options.whole else {})}
    questions = [(name, text) for name in asked for text in (True, False)]
    found = {(name, text): score(options, name, asked[name], text) for name, text in questions}
    print(table(found))
    return 0


def score(options: argparse.Namespace, name: str, models: Path, text: bool) -> dict[str, Any]:
    """Metrics by stage, images as they are."""
    flags, found = () if text else ("--no-text",), {}
    for stage in SHOWN:
        file = options.out / f"{name}_{'text' if text else 'pixels'}_{stage}.json"
        common = ("--data", options.out / "data", "--models", models, "--stage", stage, "--no-augmentation.enabled")
        job("evaluate", *common, "--out", file, "--report", file.with_suffix(".html"), *flags)
        found[stage] = json.loads(file.read_text("utf-8"))[stage]
    return found


def table(found: dict[tuple[str, bool], dict[str, Any]]) -> str:
    heads = [f"{stage} {name}" for stage, names in SHOWN.items() for name in names]
    lines = ["| models | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for (name, text), metrics in found.items():
        values = [metrics[stage][key] for stage, names in SHOWN.items() for key in names]
        cells = " | ".join(f"{value:.4f}" for value in values)
        lines.append(f"| {name}, {'with text' if text else 'pixels'} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
