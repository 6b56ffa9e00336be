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
        """An epoch's steps are done; every rank calls it, rank 0's checkpoint is kept.

        `metrics` is the epoch's entry as far as it is known, `write_checkpoint` fills a folder.
        """
        ...

    def validated(self, entry: dict[str, Any]) -> None:
        """The epoch's validation is done too, and its whole entry known; every rank calls it."""
        ...
