"""python -m benchmarks.training_input.run DATA --out FOLDER [--rows N] [--epochs N] [--threads N] [--config FILE.yaml]

Does the gate's training ever wait for its data? On the first rows of a prepared folder, trainings one after the other:

real        the gate on the job's own path (Ray Train, Ray Data, the image store); twice, with the next two between
in memory   the same steps on batches that lie ready: what the trainer could do at best
loader      the same steps fed by torch's DataLoader, whose workers prepare the same images with the same store
readers     a task that learns nothing, on the job's own path: what the data workers deliver at most
simulated   a task that sleeps instead of computing, as long as an accelerator would that needs 80 % of that

What is counted are the epochs but the first, which fills the image store, and the last, at whose end no next one is
prepared (of three or two epochs the last is counted too). Rows that were prepared during a validation are counted in
the epoch that learns them. Only an otherwise idle machine tells the truth: `busy_before` is what others take.

Trainer and data workers can only fill two cores together where the work of both fills them: a data worker that finds
its images in the store has less to do than a trainer. `--threads` are the trainer's, by default all cores.

Prints a table with the goals, and the same as one line of JSON. FOLDER keeps runs and images; the latter serve the next
call too, `--fresh-images` removes them first.
"""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import psutil

from benchmarks.training_input.cpu_seconds import DATA, TRAINER
from benchmarks.training_input.trainings import Bench, NothingLearnt
from meteo_ray import cluster

# Share of what the readers deliver that the simulated accelerator asks for.
DEMAND = 0.8

Measured = dict[str, dict[str, Any]]


def main() -> int:
    arguments = parse_arguments()
    if arguments.fresh_images:
        shutil.rmtree(arguments.out / "cache", ignore_errors=True)
    busy = psutil.cpu_percent(5.0) / 100
    bench = Bench(arguments)
    cluster.connect()
    measured = measure(bench)
    goals = goals_of(measured)
    for name, values in measured.items():
        print(f"{name:10s} " + "  ".join(f"{key} {value}" for key, value in values.items()))
    for goal, value in goals.items():
        print(f"{goal}: {value}")
    settings = {name: getattr(arguments, name) for name in ("rows", "epochs", "workers", "threads")}
    print(json.dumps({**settings, "cpus": os.cpu_count(), "busy_before": busy, "runs": measured, "goals": goals}))
    return 0


def measure(bench: Bench) -> Measured:
    measured: Measured = {"real": bench.trained("real", bench.task())}
    measured["in memory"] = bench.in_memory()
    measured["loader"] = bench.loader()
    measured["real again"] = bench.trained("real", bench.task())
    measured["readers"] = bench.trained("readers", bench.task(NothingLearnt))
    sleeper = bench.task(NothingLearnt)
    sleeper.seconds = 1 / (DEMAND * measured["readers"]["rows_per_second"])
    measured["simulated"] = bench.trained("simulated", sleeper)
    return measured


def goals_of(measured: Measured) -> dict[str, float]:
    """What was wanted, and what was found."""
    real = [measured["real"], measured["real again"]]
    rate = mean(run["rows_per_second"] for run in real)
    at_work = mean(sum(run["cores"].get(kind, 0.0) for kind in (TRAINER, DATA)) for run in real)
    return {
        "cores used by trainer and data workers, of 2: at least 1.9": round(at_work, 2),
        "speed beside that from memory: at least 0.95": round(rate / measured["in memory"]["rows_per_second"], 3),
        "speed beside that with a DataLoader: at least 1": round(rate / measured["loader"]["rows_per_second"], 3),
        "simulated accelerator waits: at most 0.05": measured["simulated"]["data_wait_share"],
    }


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a prepared folder")
    parser.add_argument("--out", type=Path, required=True, help="a folder of the benchmark's own")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--workers", type=int, help="data workers; default: the job's")
    parser.add_argument("--threads", type=int, help="of the trainer; default: the job's")
    parser.add_argument("--config", type=Path, help="settings of the gate and of its training")
    parser.add_argument("--fresh-images", action="store_true")
    arguments = parser.parse_args()
    if arguments.epochs < 2:
        parser.error("--epochs: at least 2, for the first one fills the image store")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
