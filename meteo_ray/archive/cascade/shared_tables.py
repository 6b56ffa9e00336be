"""How readers and judges reach what they share. Readers import this and nothing of the judges: torch and what
comes with it would cost each of them 3 s and 580 MB.
"""

from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from meteo_ray.archive.cascade.registry import Registry


class SharedClaims:
    """The ClaimTable that all readers ask."""

    def __init__(self, registry: Any) -> None:
        self._registry = registry

    def owners(self, contents: list[tuple[str, str]]) -> list[str]:
        owners: list[str] = ray.get(self._registry.owners.remote(contents))
        return owners

    def know(self, owners: list[tuple[str, str]]) -> None:
        ray.get(self._registry.know.remote(owners))

    def release(self, contents: list[str]) -> None:
        ray.get(self._registry.release.remote(contents))


class SharedSuspects:
    """The SuspectList that all judges tell."""

    def __init__(self, registry: Any) -> None:
        self._registry = registry

    def begin(self, batch: str, whole: bool) -> tuple[int, int]:
        earlier, deaths = ray.get(self._registry.begin.remote(batch, whole))
        return earlier, deaths

    def end(self, batch: str) -> None:
        self._registry.end.remote(batch)


def shared_tables() -> tuple[SharedClaims, SharedSuspects]:
    """Who brings a content, and which batches are in hand, in one process beside the driver."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    registry = ray.remote(Registry).options(num_cpus=0, scheduling_strategy=here).remote()
    return SharedClaims(registry), SharedSuspects(registry)
