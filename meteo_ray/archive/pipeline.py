"""The Ray Data graph of an archive run.

manifest -> read (CPU pool) -> models that share pixels (one actor a device) -> models with pixels of their own (an
actor each) -> driver
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, Dataset

from meteo_ray.archive.config import Batches
from meteo_ray.archive.manifest import Chunk
from meteo_ray.archive.models import Model
from meteo_ray.archive.operators import JudgeImages, LookAgain, ReadImages
from meteo_ray.archive.reading import Limits
from meteo_ray.archive.source import Source
from meteo_ray.cores import WORKER_SHARE

# Logical CPUs of an actor that mostly waits for its device or its child; two cores must hold the whole graph.
ACTOR_CPUS = 0.25
# Calls that wait at an actor: one more than it works on, so that it never idles and few pixels are in flight.
CALLS_IN_FLIGHT = 2


@dataclass(frozen=True)
class Plan:
    """How the graph uses the cluster."""

    readers: int
    reader_cpus: float
    judges: int
    judge_gpus: float
    threads: int

    @classmethod
    def of_cluster(cls, cpus: int, gpus: int, nodes: int, readers: int | None = None, judging: int = 2) -> "Plan":
        """An actor of each of the `judging` operators for each GPU, with equal parts of it; else one for each node."""
        judges = gpus or nodes
        share = 1 / judging
        return cls(
            readers=readers or max(1, int(WORKER_SHARE * cpus)),
            reader_cpus=0.5 if cpus < 4 else 1.0,
            judges=judges,
            judge_gpus=share if gpus else 0.0,
            threads=max(1, cpus // judges) if not gpus else 1,
        )


def cluster_plan(readers: int | None, judging: int) -> Plan:
    """The plan for the Ray cluster that this process is connected to."""
    resources = ray.cluster_resources()
    nodes = sum(node["Alive"] for node in ray.nodes())
    return Plan.of_cluster(int(resources.get("CPU", 1)), int(resources.get("GPU", 0)), nodes, readers, judging)


def judge_files(
    chunks: list[Chunk], source: Source, models: list[Model], limits: Limits, batches: Batches, plan: Plan
) -> Iterator[pa.Table]:
    """Judge every row of some chunks of the manifest; tables with the schema JUDGED come back, in any order.

    `models` are those of the cascade's stages that are to run, in its order.
    """
    model_version = " ".join(f"{model.name}={model.version}" for model in models)
    # The actors hold models; Ray would warn every half minute that they are larger than nothing.
    ray.data.DataContext.get_current().issue_detectors_config.high_memory_detector_config.detection_time_interval_s = -1
    # One block a chunk: a small archive still keeps every reader busy, and what is judged is committed early.
    rows: Dataset = ray.data.from_items(
        [{"shard": str(chunk.shard), "group": chunk.group} for chunk in chunks], override_num_blocks=len(chunks)
    )
    rows = rows.map_batches(
        ReadImages,
        fn_constructor_args=(source, limits),
        batch_size=1,
        compute=_pool(min(plan.readers, len(chunks))),
        num_cpus=plan.reader_cpus,
    )
    rows = rows.map_batches(
        JudgeImages,
        fn_constructor_args=([model for model in models if not model.judging.own_pixels], model_version, plan.threads),
        batch_size=batches.rows,
        compute=_pool(plan.judges),
        num_cpus=ACTOR_CPUS,
        num_gpus=plan.judge_gpus,
    )
    for model in looking_again(models):
        before = models[: models.index(model)]
        passes = [column for earlier in before if (column := earlier.judging.passes) is not None]
        rows = rows.map_batches(
            LookAgain,
            fn_constructor_args=(model, passes, source, limits, batches.product_images, plan.threads),
            batch_size=batches.product_rows,
            batch_format="pyarrow",
            compute=_pool(plan.judges),
            num_cpus=ACTOR_CPUS,
            num_gpus=plan.judge_gpus,
        )
    return iter(rows.iter_batches(batch_size=None, batch_format="pyarrow"))


def looking_again(models: list[Model]) -> list[Model]:
    """The models that decode images once more, each in an operator of its own."""
    return [model for model in models if model.judging.own_pixels]


def _pool(size: int) -> ActorPoolStrategy:
    return ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=CALLS_IN_FLIGHT)
