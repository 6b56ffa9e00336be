"""The Ray Data graph of an archive run.

rows of the manifest -> read (CPU pool) -> models that share pixels (one actor a device) -> where asked for, what is
written (CPU pool) -> models with pixels of their own (an actor each) -> driver
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, Dataset

from meteo_ray.archive.cascade.judge_images import NOT_READ, JudgeImages
from meteo_ray.archive.cascade.look_again import LookAgain
from meteo_ray.archive.cascade.models import Model
from meteo_ray.archive.cascade.read_images import ReadImages
from meteo_ray.archive.cascade.read_text import ReadText
from meteo_ray.archive.cascade.shared_tables import shared_tables
from meteo_ray.archive.config import Batches
from meteo_ray.archive.inputs.source import LocalSource, RemoteSource
from meteo_ray.archive.reading.limits import Limits
from meteo_ray.cores import WORKER_SHARE
from meteo_ray.errors import MachineFault
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.text.config import TextSettings

# Logical CPUs of an actor that mostly waits for its device or its child; two cores must hold the whole graph.
ACTOR_CPUS = 0.25
# Calls that wait at an actor: one more than it works on, so that it never idles and few pixels are in flight.
CALLS_IN_FLIGHT = 2
# Rows of a reader's task at most: half a million rows are 500 tasks for Ray to keep account of.
CHUNK_ROWS = 1024
# Tasks for each reader of a small archive, so that they end at about the same time.
CHUNKS_PER_READER = 4
# Actors in a row that die before they have loaded their model.
LOADING_DEATHS = 4
BYTES_OF_PIXELS = INPUT_SIZE[0] * INPUT_SIZE[1] * 3

# What is no defect of this program: too many deaths, no memory, no disk; `what_ended` says which.
RAY_GIVES_UP = (
    ray.exceptions.RayActorError,
    ray.exceptions.OutOfDiskError,
    ray.exceptions.OutOfMemoryError,
    ray.exceptions.ObjectLostError,
    ray.exceptions.NodeDiedError,
    ray.exceptions.WorkerCrashedError,
)


def what_ended(error: Exception) -> str:
    """One line of what Ray gives up for: its first, or what an actor raised while it started, which stands last."""
    lines = str(error).strip().splitlines()
    if "creation task" in lines[0] and len(lines) > 1:
        return f"a process could not start: {lines[-1].strip()}"
    return lines[0]


@dataclass(frozen=True)
class Plan:
    """How the graph uses the cluster. `text_cpus` are those of an actor that reads text, of which there are as many as
    readers, or none when it is 0."""

    readers: int
    reader_cpus: float
    judges: int
    judge_gpus: float
    threads: int
    text_cpus: float = 0.0

    @classmethod
    def of_cluster(
        cls, cpus: int, gpus: int, nodes: int, readers: int | None = None, judging: int = 2, text: bool = False
    ) -> "Plan":
        """An actor of each of the `judging` operators for each GPU, with equal parts of it; else one for each node.

        A reader of `text` has half of what a reader of images has without it: together they need no more room.
        """
        judges = gpus or nodes
        share = 1 / judging
        reader_cpus = 0.5 if cpus < 4 else 1.0
        return cls(
            readers=readers or max(1, int(WORKER_SHARE * cpus)),
            reader_cpus=reader_cpus / 2 if text else reader_cpus,
            judges=judges,
            judge_gpus=share if gpus else 0.0,
            threads=max(1, cpus // judges) if not gpus else 1,
            text_cpus=reader_cpus / 2 if text else 0.0,
        )


def cluster_plan(readers: int | None, judging: int, text: bool) -> Plan:
    """The plan for the Ray cluster that this process is connected to."""
    resources = ray.cluster_resources()
    nodes = sum(node["Alive"] for node in ray.nodes())
    return Plan.of_cluster(int(resources.get("CPU", 1)), int(resources.get("GPU", 0)), nodes, readers, judging, text)


class Cascade:
    """The graph, and what its actors share: who brings a content, and which batches are in hand.

    Both live once, beside the driver, and outlive the actors.
    """

    def __init__(
        self,
        source: LocalSource | RemoteSource,
        models: list[Model],
        limits: Limits,
        batches: Batches,
        plan: Plan,
        text: TextSettings = NOT_READ,
    ) -> None:
        self._source, self._models, self._limits, self._batches, self._plan = source, models, limits, batches, plan
        self._text = text
        self.claims, self._suspects = shared_tables()
        guard_graphs(batches.rows)

    def judge(self, listed: pa.Table) -> Iterator[pa.Table]:
        """Judge rows of the manifest; tables with the schema JUDGED come back, in any order.

        Raises:
            MachineFault: when Ray can go on no further: processes or nodes died too often, memory or disk ran out.
        """
        try:
            yield from self._graph(listed).iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
        except RAY_GIVES_UP as error:
            raise MachineFault(
                f"Ray stopped: {what_ended(error)}; committed rows are kept: run again with --resume"
            ) from error

    def _graph(self, listed: pa.Table) -> Dataset:
        pieces = chunks(listed, self._plan.readers, self._batches.rows)
        sharing = [model for model in self._models if not model.judging.own_pixels]
        described = any(model.described for model in sharing)
        rows: Dataset = ray.data.from_blocks(pieces)  # `from_arrow` would start a task for each, to count its rows
        rows = rows.map_batches(
            ReadImages,
            fn_constructor_args=(
                self._source,
                self._limits,
                self.claims,
                self._suspects,
                self._batches.rows,
                described,
            ),
            batch_size=None,  # a chunk as a whole, so that reading ahead does not stop at a block's end
            batch_format="pyarrow",
            num_cpus=self._plan.reader_cpus,
            compute=pool(min(self._plan.readers, len(pieces))),
        )
        version = " ".join(f"{model.name}={model.version}" for model in self._models)
        rows = rows.map_batches(
            JudgeImages,
            fn_constructor_args=(sharing, version, self._plan.threads, self._suspects, self._text),
            batch_size=self._batches.rows,
            **self._device_share(),
        )
        if self._text.mode != "off":
            blocks = math.ceil(listed.num_rows / self._batches.rows)
            rows = self._read_text(rows, sharing, min(self._plan.readers, blocks))
        for model in looking_again(self._models):
            rows = self._look_again(rows, model)
        return rows

    def _read_text(self, rows: Dataset, judged_by: list[Model], readers: int) -> Dataset:
        return rows.map_batches(
            ReadText,
            fn_constructor_args=(judged_by, self._text, self._source, self._limits, self._suspects),
            batch_size=self._batches.rows,
            batch_format="pyarrow",
            num_cpus=self._plan.text_cpus,
            compute=pool(readers),
        )

    def _look_again(self, rows: Dataset, model: Model) -> Dataset:
        before = self._models[: self._models.index(model)]
        passes = [column for earlier in before if (column := earlier.judging.passes) is not None]
        images = self._batches.product_images
        return rows.map_batches(
            LookAgain,
            fn_constructor_args=(model, passes, self._source, self._limits, images, self._plan.threads, self._suspects),
            batch_size=self._batches.product_rows,
            batch_format="pyarrow",
            **self._device_share(),
        )

    def _device_share(self) -> dict[str, Any]:
        return {"num_cpus": ACTOR_CPUS, "num_gpus": self._plan.judge_gpus, "compute": pool(self._plan.judges)}


def guard_graphs(block_rows: int) -> None:
    """How this process's graphs treat actors that hold models, and blocks of `block_rows` images."""
    context = ray.data.DataContext.get_current()
    # The actors hold models; Ray would warn every half minute that they are larger than nothing.
    context.issue_detectors_config.high_memory_detector_config.detection_time_interval_s = -1
    # A model that kills its process while it loads would be loaded for ever.
    context.max_consecutive_actor_init_deaths = LOADING_DEATHS
    # Ray sends on what is larger than this, uncut up to half as much again: with its text a full block of a reader
    # is just larger, so that it travels on at once and reaches a judge as it was written, in one piece.
    context.target_max_block_size = block_rows * BYTES_OF_PIXELS


def looking_again(models: list[Model]) -> list[Model]:
    """The models that decode images once more, each in an operator of its own."""
    return [model for model in models if model.judging.own_pixels]


def chunks(listed: pa.Table, readers: int, block_rows: int) -> list[pa.Table]:
    """Pieces of a round, one task of a reader each: few for Ray to keep account of, enough to keep all readers busy.

    Of whole blocks where there are enough rows: a small block at a piece's end would be joined to others by copying.
    """
    rows = min(CHUNK_ROWS, max(1, math.ceil(listed.num_rows / (CHUNKS_PER_READER * readers))))
    rows = max(rows // block_rows, 1) * block_rows if rows >= block_rows else rows
    return [listed.slice(start, rows) for start in range(0, listed.num_rows, rows)]


def pool(size: int) -> ActorPoolStrategy:
    """Actors that Ray replaces when they die, without end: the registry counts, and stops the job."""
    return ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=CALLS_IN_FLIGHT)
