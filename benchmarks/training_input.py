"""python benchmarks/training_input.py DATA --out FOLDER [--rows 4000] [--epochs 4] [--threads N] [--config FILE.yaml]

Does the gate's training ever wait for its data? On the first rows of a prepared folder, with the job's own path (Ray
Train, Ray Data, the image store), four trainings one after the other:

real        the gate; how many cores its trainer and its data workers use
in memory   the same steps on batches that lie ready: what the trainer could do at best
readers     a task that learns nothing: what the data workers deliver at most
simulated   a task that sleeps instead of computing, as long as an accelerator would that needs 80 % of that

What is counted are the epochs but the first, which fills the image store, and the last, at whose end no next one is
prepared (of three or two epochs the last is counted too). Rows that were prepared during a validation are counted in
the epoch that learns them. Only an otherwise idle machine tells the truth: `busy_before` is what others take.

Trainer and data workers can only fill two cores together where the work of both fills them: a data worker that finds
its images in the store has less to do than a trainer of one thread. `--threads 2` lets that take the rest.

Prints a table with the goals, and the same as one line of JSON. FOLDER keeps runs and images; the latter serve the next
call too, `--fresh-images` removes them first.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import torch

from meteo_ray import cluster
from meteo_ray.batch import Batch
from meteo_ray.config.parsing import parse_config
from meteo_ray.gate.config import TrainGateJob
from meteo_ray.gate.task import GateTask
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.streaming.index import read_index
from meteo_ray.streaming.stream import stream
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.training.launch import train
from meteo_ray.training.loop import TrainingRun
from meteo_ray.training.task import Loss, Prepare
from meteo_ray.vocabulary import choose_vocabulary

# Share of what the readers deliver that the simulated accelerator asks for.
DEMAND = 0.8

VALIDATION_ROWS = 64
INTERVAL_S = 0.25

TRAINER, DATA = "trainer", "data workers"


class NothingLearnt(GateTask):
    """The gate's data; a step takes `seconds` a row, in which nothing is computed."""

    seconds = 0.0

    def loss(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], progress: Any) -> Loss:
        time.sleep(self.seconds * len(batch["image"]))
        return Loss(next(model.parameters()).sum() * 0.0)


class CpuSeconds:
    """CPU seconds of this process' descendants by what they do, and when epochs ended; a context manager."""

    def __init__(self, run: Callable[[], Path | None]) -> None:
        self._run, self._stop = run, threading.Event()
        self._seconds: dict[int, float] = {}
        self._kinds: dict[int, str] = {}
        self.looks: list[tuple[float, dict[str, float]]] = []
        self.ends: list[float] = []
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "CpuSeconds":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def between(self, start: float, stop: float) -> dict[str, float]:
        """CPU seconds by kind between two moments, to the nearest looks."""
        first, last = (min(self.looks, key=lambda look: abs(look[0] - moment)) for moment in (start, stop))
        scale = (stop - start) / max(last[0] - first[0], 1e-9)
        return {kind: (seconds - first[1].get(kind, 0.0)) * scale for kind, seconds in last[1].items()}

    def _watch(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            for process in psutil.Process().children(recursive=True):
                try:
                    title, times = " ".join(process.cmdline()[:1]), process.cpu_times()
                except psutil.Error:
                    continue
                if title != "ray::IDLE":
                    self._kinds[process.pid] = _kind(title)
                self._seconds[process.pid] = times.user + times.system
            sums: dict[str, float] = defaultdict(float)
            for pid, seconds in self._seconds.items():
                sums[self._kinds.get(pid, "idle workers")] += seconds
            self.looks.append((time.time(), dict(sums)))
            folder = self._run()
            lines = (folder / "metrics.jsonl").read_text().count("\n") if folder else 0
            self.ends += [time.time()] * (lines - len(self.ends))


def _kind(title: str) -> str:
    if title.startswith("ray::") and "Map" in title:
        return DATA
    return TRAINER if "TrainWorker" in title else "Ray itself"


def rows_of(data: Path, count: int) -> pa.Table:
    """The first training rows, and some of validation with both answers."""
    index = read_index(data)
    of = {split: index.filter(pc.equal(index["split"], split)) for split in (TRAIN, VALIDATION)}
    chosen = [of[TRAIN].slice(0, count)]
    for answer in (True, False):
        chosen.append(
            of[VALIDATION].filter(pc.equal(of[VALIDATION]["is_meteo"], answer)).slice(0, VALIDATION_ROWS // 2)
        )
    return pa.concat_tables(chosen)


class Bench:
    """The trainings, each in a folder of its own, all on the same images."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.out, data = arguments.out.resolve(), arguments.data.resolve()
        flags = ["--data", str(data), "--models", str(self.out), "--no-gate.descriptors", "--no-gate.text"]
        flags += ["--training.patience", "0", "--fresh", "--gate.frozen-epochs", "0"]
        flags += ["--gate.full-epochs", str(arguments.epochs)]
        flags += ["--training.data-workers", str(arguments.workers)] if arguments.workers else []
        flags += ["--training.torch-threads", str(arguments.threads)] if arguments.threads else []
        flags += ["--config", str(arguments.config)] if arguments.config else ["--gate.init", "none"]
        self.job = parse_config(TrainGateJob, flags)
        self.index, self.vocabulary = rows_of(data, arguments.rows), choose_vocabulary(None, data)
        self.data = data

    def task(self, kind: type[GateTask] = GateTask) -> Any:
        inputs = self.inputs("unused")
        return kind(self.job.gate, self.data, self.vocabulary, self.job.training.seed, inputs.images)

    def inputs(self, name: str) -> TaskInputs:
        return TaskInputs(self.data, self.out / name, self.out / "cache", self.index, self.vocabulary)

    def trained(self, name: str, task: GateTask) -> dict[str, Any]:
        """A whole training through Ray Train: rows a second, share of waiting and cores."""
        shutil.rmtree(self.out / name, ignore_errors=True)
        runs = self.out / name / "runs"
        with CpuSeconds(lambda: next((f.parent for f in runs.glob("*/metrics.jsonl")), None)) as watched:
            train(self.job, task, self.inputs(name))
        history = [json.loads(line) for line in next(runs.glob("*/metrics.jsonl")).read_text().splitlines()]
        spent: dict[str, float] = defaultdict(float)
        for entry, end in _counted(list(zip(history, watched.ends, strict=True))):
            stop = end - entry["validation_seconds"]
            for kind, seconds in watched.between(stop - entry["train_seconds"], stop).items():
                spent[kind] += seconds
        steady = _steady(history)
        cores = {kind: round(seconds / steady["seconds"], 2) for kind, seconds in spent.items()}
        return {**steady, "first_epoch_rows_per_second": history[0]["rows_per_second"], "cores": cores}

    def in_memory(self) -> dict[str, Any]:
        """The same task in this process, on one epoch's batches that lie ready."""
        task, settings = self.task(), self.job.training
        rows = task.rows(self.index, TRAIN)
        numbered = rows.append_column("row", pa.array(np.arange(rows.num_rows), pa.int64()))
        drawn = numbered.take(task.order(rows, 0, None))
        batches = list(stream(drawn, task.prepare(TRAIN, 0), settings.batch_size, settings.data_workers))
        batches = [{name: np.array(column) for name, column in batch.items()} for batch in batches]

        def from_memory(asked: pa.Table, prepare: Prepare, batch_size: int) -> Iterator[Batch]:
            if "row" in asked.column_names:
                return iter(batches)
            return stream(asked, prepare, batch_size, settings.data_workers)

        with tempfile.TemporaryDirectory() as folder:
            run = TrainingRun(task, self.index, settings, Path(folder), _NoHost(), from_memory, torch.device("cpu"))
            return _steady(run.fit().history)


class _NoHost:
    rank, world_size = 0, 1

    def latest_checkpoint(self) -> None:
        return None

    def report(self, metrics: dict[str, Any], write_checkpoint: Callable[[Path], None]) -> None:
        pass

    def validated(self, entry: dict[str, Any]) -> None:
        pass


def _counted(epochs: list[Any]) -> list[Any]:
    return epochs[1:-1] if len(epochs) > 3 else epochs[1:]


def _steady(history: list[dict[str, Any]]) -> dict[str, Any]:
    later = _counted(history)
    seconds = sum(entry["train_seconds"] for entry in later)
    rows = sum(entry["rows_per_second"] * entry["train_seconds"] for entry in later)
    waited = sum(entry["data_wait_s"] for entry in later)
    return {
        "rows_per_second": round(rows / seconds, 2),
        "data_wait_share": round(waited / seconds, 4),
        "cpu_utilisation": round(float(np.mean([entry["cpu_utilisation"] for entry in later])), 3),
        "seconds": round(seconds, 2),
    }


def main() -> int:
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
    if arguments.fresh_images:
        shutil.rmtree(arguments.out / "cache", ignore_errors=True)
    busy = psutil.cpu_percent(5.0) / 100
    bench = Bench(arguments)
    cluster.connect()
    real = bench.trained("real", bench.task())
    memory = bench.in_memory()
    readers = bench.trained("readers", bench.task(NothingLearnt))
    sleeper = bench.task(NothingLearnt)
    sleeper.seconds = 1 / (DEMAND * readers["rows_per_second"])
    simulated = bench.trained("simulated", sleeper)
    measured = {"real": real, "in memory": memory, "readers": readers, "simulated": simulated}
    at_work = sum(real["cores"].get(kind, 0.0) for kind in (TRAINER, DATA))
    goals = {
        "cores used by trainer and data workers, of 2: at least 1.9": round(at_work, 2),
        "speed beside that from memory: at least 0.95": round(real["rows_per_second"] / memory["rows_per_second"], 3),
        "simulated accelerator waits: at most 0.05": simulated["data_wait_share"],
    }
    for name, values in measured.items():
        print(f"{name:10s} " + "  ".join(f"{key} {value}" for key, value in values.items()))
    for goal, value in goals.items():
        print(f"{goal}: {value}")
    settings = {
        "rows": arguments.rows,
        "epochs": arguments.epochs,
        "workers": arguments.workers,
        "threads": arguments.threads,
    }
    print(json.dumps({**settings, "cpus": os.cpu_count(), "busy_before": busy, "runs": measured, "goals": goals}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
