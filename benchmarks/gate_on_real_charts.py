"""python benchmarks/gate_on_real_charts.py --real DIR --drawn DIR --out DIR

How well does the gate know charts that nobody drew for it? Trained on drawn charts alone, and on drawn and real ones,
then scored on real sources that neither training saw. Both folders are in the layout of train_data/; the real one has
a `source` in every row and is split by it. Images are linked, not copied.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
VALIDATION_EVERY = 10  # every tenth drawn image validates where no real ones may


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("real", "drawn", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=ROOT / "jobs" / "demo" / "gate.yaml")
    arguments = parser.parse_args()
    real = _split_of_real(arguments.real, arguments.out / "real")
    drawn = _labels(arguments.drawn)
    drawn_only = [{**row, "split": _drawn_split(number)} for number, row in enumerate(drawn)]
    everything = [{**row, "split": "train"} for row in drawn] + real
    test = [row for row in real if row["split"] == "test"]
    results = {}
    for name, rows in (("drawn alone", drawn_only + test), ("drawn and real", everything)):
        folder = arguments.out / name.replace(" ", "_")
        _write_data(folder / "data", rows, arguments.drawn, arguments.real)
        results[name] = _train_and_score(folder, arguments.config)
    for name, gate in results.items():
        print(f"{name:<15} AUC {gate['auc']:.3f}  F1 {gate['f1']:.3f}  ({gate['positives']} charts of {gate['rows']})")
    return 0


def _labels(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "labels.jsonl").read_text("utf-8").splitlines()]


def _drawn_split(number: int) -> str:
    return "validation" if number % VALIDATION_EVERY == 0 else "train"


def _split_of_real(real: Path, folder: Path) -> list[dict[str, Any]]:
    """The real rows with the split that `prepare_data --split-by source` gives them; paths below images/real/."""
    _link(folder / "images", real / "images")
    (folder / "labels.jsonl").write_text((real / "labels.jsonl").read_text("utf-8"), "utf-8")
    _job("prepare_data", "--data", folder, "--split-by", "source")
    index = pq.read_table(folder / "index" / "index.parquet", columns=["path", "split"]).to_pylist()
    split = {row["path"]: row["split"] for row in index}
    rows = [row for row in _labels(real) if row["path"] in split]
    return [
        {**row, "path": row["path"].replace("images/", "images/real/", 1), "split": split[row["path"]]} for row in rows
    ]


def _write_data(folder: Path, rows: list[dict[str, Any]], drawn: Path, real: Path) -> None:
    _link(folder / "images" / "drawn", drawn / "images")
    _link(folder / "images" / "real", real / "images")
    _link(folder / "logos", drawn / "logos")
    with (folder / "labels.jsonl").open("w", encoding="utf-8") as file:
        for row in rows:
            path = row["path"]
            if not path.startswith("images/real/"):
                row = {**row, "path": path.replace("images/", "images/drawn/", 1)}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    _job("prepare_data", "--data", folder, "--split-by", "given", "--allow-leakage")


def _train_and_score(folder: Path, config: Path) -> dict[str, Any]:
    data, models, out = folder / "data", folder / "models", folder / "metrics.json"
    _job("train_gate", "--config", config, "--data", data, "--models", models)
    _job("evaluate", "--data", data, "--models", models, "--stage", "gate", "--out", out)
    gate: dict[str, Any] = json.loads(out.read_text("utf-8"))["gate"]
    return {**gate, "rows": gate["positives"] + gate["negatives"]}


def _link(place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if not place.exists():
        place.symlink_to(target.resolve(), target_is_directory=True)


def _job(name: str, *arguments: Any) -> None:
    subprocess.run([sys.executable, str(ROOT / "jobs" / f"{name}.py"), *map(str, arguments)], check=True)


if __name__ == "__main__":
    sys.exit(main())
