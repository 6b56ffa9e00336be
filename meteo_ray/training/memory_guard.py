"""Keeps training inside the GPU's memory (R28): the micro-batch halves, the effective batch stays.

A batch that did not fit is computed again in smaller pieces, so no row is lost and the optimiser never notices.
"""

import logging
from collections.abc import Callable

import torch

from meteo_ray.errors import UsageError

logger = logging.getLogger("meteo_ray")


class MemoryGuard:
    """Decides how many rows go to the device at once.

    `micro_batch` only ever shrinks: when memory runs out, and when more than `memory_share` of it is in use.
    """

    def __init__(self, micro_batch: int, memory_share: float, device: torch.device) -> None:
        self.micro_batch = micro_batch
        self._memory_share = memory_share
        self._device = device

    def run(self, accumulate: Callable[[int], None], undo: Callable[[], None]) -> None:
        """Call `accumulate(micro_batch)`; after an out-of-memory error `undo()` and again with half.

        Raises:
            UsageError: when a single row does not fit.
        """
        while True:
            try:
                accumulate(self.micro_batch)
                return
            except torch.OutOfMemoryError:
                undo()
                self._halve("memory ran out")

    def after_step(self) -> None:
        """Halve when the last step used more than the allowed share of the GPU's memory."""
        if self._device.type == "cuda" and self.micro_batch > 1 and self.used_share() > self._memory_share:
            self._halve(f"{self.used_share():.0%} of the memory was in use")

    def used_share(self) -> float:
        """Peak memory reserved since the last look, as a share of the card's; 0 on a CPU."""
        if self._device.type != "cuda":
            return 0.0
        total = torch.cuda.get_device_properties(self._device).total_memory
        return torch.cuda.max_memory_reserved(self._device) / total

    def statistics(self) -> dict[str, float]:
        """Peak memory in GB and fragmentation (reserved but not allocated, as a share) for the log (R29)."""
        if self._device.type != "cuda":
            return {}
        allocated = torch.cuda.max_memory_allocated(self._device)
        reserved = torch.cuda.max_memory_reserved(self._device)
        return {"memory_gb": allocated / 1e9, "memory_fragmentation": 1 - allocated / max(reserved, 1)}

    def end_epoch(self) -> None:
        """Empty the cache between epochs, so that fragments of one do not add up with the next."""
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self._device)

    def _halve(self, why: str) -> None:
        if self.micro_batch == 1:
            raise UsageError("one row alone does not fit into the GPU's memory: use a smaller input or model")
        self.micro_batch = max(1, self.micro_batch // 2)
        logger.warning("%s: micro-batch is now %d, a batch is computed in so large pieces", why, self.micro_batch)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self._device)
