"""What a trial takes of the cluster, so that trials run side by side and none waits for what another holds."""

import math
from collections.abc import Mapping

from meteo_ray.errors import UsageError

# A trial's process waits for batches most of the time on a GPU; less than this of a core starves even that.
LEAST_CPU = 0.1

# Ray counts in ten thousandths; shares are cut to hundredths, so that as many as were asked for fit together.
HUNDREDTHS = 100


def trial_resources(cluster: Mapping[str, float], concurrent: int, use_gpu: bool | None = None) -> dict[str, float]:
    """CPUs and GPUs of one of `concurrent` trials; `use_gpu` as in `LoopSettings`.

    A trial's data workers are tasks that need a CPU each: if trials held all CPUs, every one would wait for its data
    for ever. So one CPU is left to those, and trials share the rest; and they share the GPUs, each at most one.

    Raises:
        UsageError: when the cluster is too small for so many.
    """
    cpus, gpus = cluster.get("CPU", 0.0), 0.0 if use_gpu is False else cluster.get("GPU", 0.0)
    if use_gpu and not gpus:
        raise UsageError("--base: training.use_gpu asks for a GPU, and the cluster has none")
    if cpus < 2:
        raise UsageError(f"a trial and its data workers need 2 CPUs, the cluster has {cpus:.0f}; give it more")
    share = _cut(min(1.0, (cpus - 1) / concurrent))
    if share < LEAST_CPU:
        raise UsageError(f"--concurrent {concurrent}: too many for {cpus:.0f} CPUs; give less, or a larger cluster")
    on_one_gpu = math.ceil(concurrent / gpus) if gpus else 0
    return {"cpu": share, **({"gpu": _cut(1 / on_one_gpu)} if on_one_gpu else {})}


def _cut(share: float) -> float:
    return int(share * HUNDREDTHS) / HUNDREDTHS
