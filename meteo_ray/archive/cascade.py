"""The Ray Data graph: manifest -> read (CPU pool) -> gate and elements (one actor a device) -> products -> driver."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import ray
from ray.data import ActorPoolStrategy, Dataset

from meteo_ray.archive.config import Batches
from meteo_ray.archive.judge import JudgeCharts, NameProducts
from meteo_ray.archive.manifest import Chunk
from meteo_ray.archive.read import Limits, ReadImages
from meteo_ray.archive.source import Source
from meteo_ray.archive.stages import Stage

# R7 asks for CPU workers on 60-80 % of the cores.
READER_SHARE = 0.7
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
    def of_cluster(cls, cpus: int, gpus: int, nodes: int, readers: int | None = None, products: bool = True) -> "Plan":
        """One judge (and one namer of products) for each GPU, each on half of it; without a GPU one for each node."""
        judges = gpus or nodes
        share = 0.5 if products else 1.0
        return cls(
            readers=readers or max(1, int(READER_SHARE * cpus)),
            reader_cpus=0.5 if cpus < 4 else 1.0,
            judges=judges,
            judge_gpus=share if gpus else 0.0,
            threads=max(1, cpus // judges) if not gpus else 1,
        )


def cluster_plan(readers: int | None, products: bool) -> Plan:
    """The plan for the Ray cluster that this process is connected to."""
    resources = ray.cluster_resources()
    nodes = sum(node["Alive"] for node in ray.nodes())
    return Plan.of_cluster(int(resources.get("CPU", 1)), int(resources.get("GPU", 0)), nodes, readers, products)


def judge_files(
    chunks: list[Chunk], source: Source, stages: list[Stage], limits: Limits, batches: Batches, plan: Plan
) -> Iterator[pa.Table]:
    """Judge every row of some chunks of the manifest; tables with the schema judge.JUDGED come back, in any order.

    `stages` are gate, then elements, then products, as many of them as are to run.
    """
    gate, elements, products = (*stages, None, None)[:3]
    model_version = " ".join(f"{stage.name}={stage.version}" for stage in stages)
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
        JudgeCharts,
        fn_constructor_args=(gate, elements, model_version, plan.threads),
        batch_size=batches.rows,
        compute=_pool(plan.judges),
        num_cpus=ACTOR_CPUS,
        num_gpus=plan.judge_gpus,
    )
    if products:
        rows = rows.map_batches(
            NameProducts,
            fn_constructor_args=(products, source, limits, batches.product_images, plan.threads),
            batch_size=batches.product_rows,
            batch_format="pyarrow",
            compute=_pool(plan.judges),
            num_cpus=ACTOR_CPUS,
            num_gpus=plan.judge_gpus,
        )
    return iter(rows.iter_batches(batch_size=None, batch_format="pyarrow"))


def _pool(size: int) -> ActorPoolStrategy:
    return ActorPoolStrategy(size=size, max_tasks_in_flight_per_actor=CALLS_IN_FLIGHT)
