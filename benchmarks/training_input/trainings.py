"""The trainings that are compared, each in a folder of its own, all on the same images."""

import argparse
import json
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.training_input.cpu_seconds import CpuSeconds
from meteo_ray.batch import Batch
from meteo_ray.config.parsing import parse_config
from meteo_ray.cores import default_workers
from meteo_ray.gate.config import TrainGateJob
from meteo_ray.gate.task import GateTask
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.streaming.in_process import stream_in_process
from meteo_ray.streaming.index import read_index
from meteo_ray.streaming.stream import stream
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.training.launch import train
from meteo_ray.training.loop import TrainingRun
from meteo_ray.training.task import Loss, Prepare
from meteo_ray.training.training_rows import Stream
from meteo_ray.vocabulary import choose_vocabulary

VALIDATION_ROWS = 64


class NothingLearnt(GateTask):
    """The gate's data; a step takes `seconds` a row, in which nothing is computed."""

    seconds = 0.0

    def loss(self, model: torch.nn.Module, batch: dict[str, torch.Tensor], progress: Any) -> Loss:
        time.sleep(self.seconds * len(batch["image"]))
        return Loss(next(model.parameters()).sum() * 0.0)


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
        return self._alone(task, lambda asked, prepare, batch_size: iter(batches))

    def loader(self) -> dict[str, Any]:
        """The same task in this process, fed by a DataLoader with as many workers, which use the image store too."""
        return self._alone(self.task(), partial(loaded, self.job.training.data_workers or default_workers()))

    def _alone(self, task: GateTask, training_rows: Stream) -> dict[str, Any]:
        """A training without Ray Train; validation rows come as they always do."""
        settings = self.job.training

        def source(asked: pa.Table, prepare: Prepare, batch_size: int) -> Iterator[Batch]:
            if "row" in asked.column_names:
                return training_rows(asked, prepare, batch_size)
            return stream(asked, prepare, batch_size, settings.data_workers)

        with tempfile.TemporaryDirectory() as folder:
            run = TrainingRun(task, self.index, settings, Path(folder), _NoHost(), source, torch.device("cpu"))
            return _steady(run.fit().history)


class PreparedBatches(Dataset[Batch]):
    """A map-style dataset whose items are whole batches; images are tensors, which travel in shared memory."""

    def __init__(self, rows: pa.Table, prepare: Prepare, batch_size: int) -> None:
        self._rows, self._prepare, self._batch_size = rows, prepare, batch_size

    def __len__(self) -> int:
        return -(-self._rows.num_rows // self._batch_size)

    def __getitem__(self, place: int) -> Batch:
        rows = self._rows.slice(place * self._batch_size, self._batch_size)
        batch = next(stream_in_process(rows, self._prepare, self._batch_size, drop_failed=False))
        return {**batch, "image": torch.from_numpy(batch["image"])}  # type: ignore[dict-item]


def loaded(workers: int, rows: pa.Table, prepare: Prepare, batch_size: int) -> Iterator[Batch]:
    """Batches by torch's DataLoader."""
    batches = PreparedBatches(rows, prepare, batch_size)
    context = get_context("forkserver")  # a fork of this process, with Ray's threads, would wait for their locks
    context.set_forkserver_preload([__name__])
    options: dict[str, Any] = {"num_workers": workers, "collate_fn": _as_it_is, "multiprocessing_context": context}
    for batch in DataLoader(batches, batch_size=None, **options):
        yield {**batch, "image": batch["image"].numpy()}


def _as_it_is(batch: Batch) -> Batch:
    return batch


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
