"""Networks of several seeds against the damped anomaly persistence and all other baselines, station by station.

    python -m benchmarks.forecast_stations --data STATION_FILES --out forecast_bench

Each seed validates on another block of the days before the test, so that the ensemble learns from all of them. What is
done is not repeated: the same command goes on where it stopped; other data, seeds or horizons are refused there. Writes
OUT/table.md, and scores.json of every question and network.
"""

import argparse
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.kept_results import Results
from meteo_ray import cluster
from meteo_ray.files import read_json
from meteo_ray.metrics.block_bootstrap import shown

ROOT = Path(__file__).resolve().parents[1]

# Name -> the flags that say what is forecast. Delhi's test is the second file; of the others the last quarter.
QUESTIONS: dict[str, tuple[str, ...]] = {
    "delhi": ("--forecast.source", "delhi", "--forecast.split.test-from", "2017-01-01"),
    "basel": ("--forecast.source", "ecad", "--forecast.stations", '["BASEL"]'),
    "oslo": ("--forecast.source", "ecad", "--forecast.stations", '["OSLO"]'),
    "heathrow": ("--forecast.source", "ecad", "--forecast.stations", '["HEATHROW"]'),
    "seattle": ("--forecast.source", "seattle_newyork", "--forecast.stations", '["Seattle"]'),
    "newyork": ("--forecast.source", "seattle_newyork", "--forecast.stations", '["New York"]'),
    "melbourne": ("--forecast.source", "melbourne"),
    "beijing": ("--forecast.source", "beijing"),
    "basel_rain": ("--forecast.source", "ecad", "--forecast.stations", '["BASEL"]', "--forecast.targets",
                   '["precipitation"]'),
    "ecad_together": ("--forecast.source", "ecad"),
}  # fmt: skip

# The graph is asked where there are neighbours; the others station by station.
MODELS = {"ecad_together": ("graph", "lstm")}
ALONE = ("lstm", "cnn_lstm", "station_lstm", "mixer")

# Of the days before the test, blocks of 15 %; six fit, and the earliest is left to teach.
BLOCKS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--horizon", type=int, default=3)
    parser.add_argument("--questions", nargs="+", choices=list(QUESTIONS), default=list(QUESTIONS))
    options = parser.parse_args()
    settings = {"data": options.data.resolve(), "seeds": options.seeds, "horizon": options.horizon}
    results = Results(options.out / "results.json", settings)
    with cluster.shared() as joined:
        for name in options.questions:
            for model in MODELS.get(name, ALONE):
                results.get(f"{name}_{model}", partial(_ask, options, name, model, joined))
    table(options.out, results)


def _ask(options: argparse.Namespace, name: str, model: str, joined: dict[str, str]) -> dict[str, str]:
    """Train every seed and score them together; where the scores lie below OUT."""
    folder = options.out / f"{name}_{model}"
    scores = folder / "scores.json"
    seeds = [folder / f"seed_{seed}" for seed in range(options.seeds)]
    for seed, models in enumerate(seeds):
        block = ("--forecast.split.validation-block", seed % BLOCKS, "--training.seed", seed)
        asked = ("--model", model, "--forecast.horizon", options.horizon, *QUESTIONS[name])
        _job(joined, "train_forecast", "--data", options.data, "--models", models, *asked, *block)
    members = ("--members", json.dumps([str(models.resolve()) for models in seeds[1:]])) if seeds[1:] else ()
    _job(joined, "evaluate_forecast", "--data", options.data, "--models", seeds[0], *members, "--out", scores)
    return {"scores": str(scores.relative_to(options.out))}


def _job(joined: dict[str, str], name: str, *arguments: Any) -> None:
    command = [sys.executable, str(ROOT / "jobs" / f"{name}.py"), *map(str, arguments)]
    subprocess.run(command, env={**os.environ, **joined}, check=True)


def table(out: Path, results: Results) -> None:
    """OUT/table.md of what is measured: squared error one day ahead, skill against the damped anomaly, interval."""
    names = ("persistence", "climatology", "damped_anomaly", "ridge", "gradient_boosting", "network")
    lines = [
        "| station, quantity | network | days | " + " | ".join(names) + " | against damped anomaly | against ridge |"
    ]
    lines.append("|---" * (len(names) + 5) + "|")
    for question in sorted(results.measures):
        for entry in read_json(out / results.measures[question]["scores"])["entries"]:
            if entry["lead"] == 1:
                cells = [f"{entry['scores'][name]['mse']:.3f}" for name in names]
                gains = [shown(entry["skill_against"].get(name)) for name in ("damped_anomaly", "ridge")]
                head = [f"{entry['station']}, {entry['target']}", question, str(entry["days"])]
                lines.append("| " + " | ".join([*head, *cells, *gains]) + " |")
    (out / "table.md").write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
