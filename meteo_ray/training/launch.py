"""A task on Ray Train: everything is checked first, then one run folder, one TorchTrainer, one model bundle.

The same command goes on where it was killed, and a changed one starts anew (run_identity.py). Runs live in
MODELS/runs/NAME/ (config.yaml, versions.json, metrics.jsonl, tensorboard/, best/, Ray's checkpoints), the result in
MODELS/STAGE/.
"""

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import ray
import ray.train
import ray.train.torch
from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from meteo_ray import bundle, cluster
from meteo_ray.cores import data_workers_each, training_threads
from meteo_ray.errors import UsageError
from meteo_ray.files import held, read_json, remove_folder, require_ours, write_atomically, write_json
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.streaming.image_store import ImageStore
from meteo_ray.training.config import LoopSettings, TrainingJob
from meteo_ray.training.device import take_device
from meteo_ray.training.distributed import require_even_shares
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.training.loop import Finished, TrainingRun
from meteo_ray.training.node_probe import needs_of, require_on_every_node
from meteo_ray.training.row_source import row_source
from meteo_ray.training.run_identity import run_digest
from meteo_ray.training.run_log import followed, log_to_run
from meteo_ray.training.task import Task
from meteo_ray.versions import versions

logger = logging.getLogger("meteo_ray")

RUN_CONFIG = "config.yaml"

# In a run's folder: what only the user can mend, found by one of several workers.
MISTAKE = "mistake.txt"

# Without, a data worker beside a busy trainer worked two thirds of the time: the trainer's process takes its block and
# hands out the next one in between its own work.
WAITING_BLOCKS = 1


def train(job: TrainingJob, task: Task, inputs: TaskInputs) -> dict[str, Any]:
    """Train `task`, write its bundle to MODELS/STAGE/ and return the bundle's metrics.

    Raises:
        UsageError: before Ray starts when a split has no rows for the task, or another job trains the same stage into
            the same MODELS; before the first epoch when a machine of the cluster lacks what is needed; later when
            training cannot go on.
    """
    require_even_shares(job.training.batch_size, job.training.workers)
    rows = [task.rows(inputs.index, split) for split in (TRAIN, VALIDATION)]
    target = inputs.models / task.name
    busy = (
        f"{target}: another job is training this stage there; wait for it (the same command then tells its result) or "
        "give another --models"
    )
    with held(target, busy):
        return _train(job, task, inputs, rows)


def _train(job: TrainingJob, task: Task, inputs: TaskInputs, rows: list[pa.Table]) -> dict[str, Any]:
    name = f"{task.name}-{run_digest(job, inputs, task.origin())}"
    folder = inputs.models / "runs" / name
    bundle.require_free(inputs.models / task.name)
    if job.fresh:
        require_ours(folder, "training run", RUN_CONFIG)
    elif (folder / "finished.json").is_file() and _made_by(inputs.models / task.name, name):
        logger.info("%s: this config was already trained on this data (%s); --fresh trains anew", task.name, folder)
        return read_json(inputs.models / task.name / bundle.METRICS)
    cluster.connect()
    use_gpu = uses_gpu(job.training)
    _check_resources(job.training, use_gpu)
    if job.fresh:  # not before it is known that the new one can run
        remove_folder(folder)
    _write_run_folder(folder, job)
    require_on_every_node(needs_of(task, inputs, rows, folder / RUN_CONFIG), "GPU" if use_gpu else "CPU")
    _fit(job.training, task, inputs, folder, use_gpu)
    return read_json(inputs.models / task.name / bundle.METRICS)


def _made_by(folder: Path, name: str) -> bool:
    path = folder / bundle.METRICS
    return path.is_file() and read_json(path).get("run") == name


def _write_run_folder(folder: Path, job: TrainingJob) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MISTAKE).unlink(missing_ok=True)
    job.save(folder / RUN_CONFIG)
    write_json(folder / "versions.json", versions())


def uses_gpu(settings: LoopSettings) -> bool:
    """Whether a training takes GPUs of the cluster that is connected."""
    return ray.cluster_resources().get("GPU", 0) > 0 if settings.use_gpu is None else settings.use_gpu


def _fit(settings: LoopSettings, task: Task, inputs: TaskInputs, folder: Path, use_gpu: bool) -> None:
    trainer = TorchTrainer(
        lambda: _worker(settings, task, inputs, folder),  # type: ignore[arg-type]  # it may return a value
        scaling_config=ScalingConfig(num_workers=settings.workers, use_gpu=use_gpu),
        run_config=RunConfig(
            name=folder.name,
            storage_path=str(folder.parent),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
            failure_config=FailureConfig(max_failures=2),
        ),
    )
    with followed(folder):
        try:
            mistake = trainer.fit().return_value  # type: ignore[attr-defined]  # the checker sees Train's first version
        except SystemExit:  # while it trains Ray takes Ctrl-C for itself: it ends the run and the process, in silence
            raise KeyboardInterrupt from None
    if mistake:
        raise UsageError(mistake)


def _check_resources(settings: LoopSettings, use_gpu: bool) -> None:
    """Fail in seconds instead of waiting for ever for hardware that is not there."""
    resources = ray.cluster_resources()
    if use_gpu and resources.get("GPU", 0) < settings.workers:
        raise UsageError(f"{settings.workers} GPUs asked for, the cluster has {resources.get('GPU', 0):.0f}")
    if resources.get("CPU", 0) < settings.workers + 1:
        raise UsageError(
            f"{settings.workers} training workers and one data worker need {settings.workers + 1} CPUs, the cluster "
            f"has {resources.get('CPU', 0):.0f}; start it with --num-cpus {settings.workers + 1} or more"
        )


def _worker(settings: LoopSettings, task: Task, inputs: TaskInputs, folder: Path) -> str | None:
    """Runs in every training worker; rank 0 also writes the bundle.

    What only the user can mend comes back as a message: raised, it would be taken for a crash and tried again. Where
    others wait for this worker it is written down and raised: they are ended with it, and all find it when they are
    started again.
    """
    cluster.quiet_logs()
    host, known = RayHost(inputs.images), folder / MISTAKE
    if known.is_file():
        return known.read_text("utf-8")
    log_to_run(folder, host.rank)
    device = take_device(ray.train.torch.get_device())
    settings = share_of_machine(settings, host.beside)
    try:
        batches = row_source(task, settings.data_workers, WAITING_BLOCKS, drop_failed=False)
        finished = TrainingRun(task, inputs.index, settings, folder, host, batches, device).fit()
    except UsageError as mistake:
        if host.world_size > 1:
            write_atomically(known, str(mistake))
            raise
        return str(mistake)
    if host.rank == 0:
        _write_bundle(task, finished, inputs.models / task.name, folder)
    return None


def share_of_machine(settings: LoopSettings, processes: int) -> LoopSettings:
    """The settings of one of so many training workers on this machine: its part of data workers and cores."""
    if processes == 1:
        return settings
    data_workers = data_workers_each(settings.data_workers, processes)
    threads = settings.torch_threads or training_threads(processes)
    return settings.model_copy(update={"data_workers": data_workers, "torch_threads": threads})


def _write_bundle(task: Task, finished: Finished, target: Path, folder: Path) -> None:
    with bundle.writing(target) as scratch:
        metrics = task.export(finished.model, finished.outputs, scratch)
        record = {**metrics, "run": folder.name, "best_epoch": finished.best_epoch, "epochs": len(finished.history)}
        write_json(scratch / bundle.METRICS, record)
    write_json(folder / "finished.json", record)


class RayHost:
    """The loop's host inside a Ray Train worker: checkpoints go through `ray.train.report`.

    Data workers' logs are not the run's: where `images` takes no more, this worker says so.
    """

    def __init__(self, images: ImageStore) -> None:
        self._images = images
        context = ray.train.get_context()
        self.rank, self.world_size = context.get_world_rank(), context.get_world_size()
        self.beside = context.get_local_world_size()
        """Training workers on this machine, this one among them."""

    def latest_checkpoint(self) -> Path | None:
        checkpoint = ray.train.get_checkpoint()
        return None if checkpoint is None else Path(checkpoint.path)

    def report(self, metrics: dict[str, Any], write_checkpoint: Callable[[Path], None]) -> None:
        if self.rank != 0:
            ray.train.report(metrics)
            return
        self._images.tell_if_full()
        with tempfile.TemporaryDirectory(prefix="meteo_ray_") as folder:
            write_checkpoint(Path(folder))
            ray.train.report(metrics, checkpoint=ray.train.Checkpoint.from_directory(folder))

    def validated(self, entry: dict[str, Any]) -> None:
        """Nothing: the run's folder has it, and a report without a checkpoint would be lost."""


def summary_line(stage: str, models: Path, metrics: dict[str, Any], names: tuple[str, ...]) -> str:
    """One line for the end of a training job: the main validation metrics and where the model is."""
    values = "  ".join(f"{name} {metrics[name]:.4f}" for name in names if isinstance(metrics.get(name), float))
    return f"{stage}: {values} (validation)  model: {models / stage}"
