"""What the training loop needs of the place it runs in: Ray Train, a trial of a sweep, a folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol


class Host(Protocol):
    """Keeps checkpoints and hears of epochs."""

    rank: int
    world_size: int

    def latest_checkpoint(self) -> Path | None: ...

    def report(self, metrics: dict[str, Any], write_checkpoint: Callable[[Path], None]) -> None:
        """Record an epoch; every rank calls it, rank 0's checkpoint is kept. `write_checkpoint` fills a folder."""
        ...
