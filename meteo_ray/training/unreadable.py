"""Rows whose image could not be read: counted, told, and more than a few of them end the training.

A node without the mount, or a folder that was moved, loses rows one by one; a model of what is left would be no model
of the data. Few lost rows are no reason to lose a night.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from meteo_ray.batch import UNREADABLE, Batch
from meteo_ray.errors import UsageError
from meteo_ray.training.distributed import Workers

logger = logging.getLogger("meteo_ray")

# Named in messages.
EXAMPLES = 10


class TooManyUnreadable(UsageError):
    """Raised when more rows cannot be read than may be lost: folder, mount or files are to blame, no setting."""


class Lost(NamedTuple):
    """A row that could not be read."""

    path: str
    why: str


def split_readable(rows: Batch) -> tuple[Batch, list[Lost]]:
    """The rows that are `ok`, in order, and what is known of the others."""
    ok = np.asarray(rows["ok"], dtype=bool)
    if ok.all():
        return rows, []
    paths, whys = rows.get("path"), rows.get(UNREADABLE)
    lost = [
        Lost("a row" if paths is None else str(paths[row]), "cannot be read" if whys is None else str(whys[row]))
        for row in np.flatnonzero(~ok)
    ]
    return {name: column[ok] for name, column in rows.items()}, lost


@dataclass
class UnreadableRows:
    """Those of one pass over `drawn` rows of a split; `most` is the share of them that may be lost."""

    stage: str
    split: str
    drawn: int
    most: float
    count: int = 0
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, lost: Sequence[Lost]) -> None:
        """Count them. Raises TooManyUnreadable as soon as they are too many, however the rest may read."""
        self.count += len(lost)
        for row in lost:
            if len(self.examples) < EXAMPLES:
                self.examples.setdefault(row.path, row.why)
        if lost:
            self.require_few()

    def join(self, workers: Workers) -> None:
        """Account for the other workers' too. Raises TooManyUnreadable in all of them when there are too many."""
        told = workers.all_of((self.count, self.examples))
        self.count = sum(count for count, _ in told)
        self.examples = {path: why for _, examples in told for path, why in examples.items()}
        self.require_few()

    def require_few(self) -> None:
        """Raises TooManyUnreadable naming some of the files and reasons."""
        if self.count > self.most * self.drawn:
            raise TooManyUnreadable.of_problems(
                f"{self.stage}: at least {self.count} of {self.drawn} {self.split} rows cannot be read, more than the "
                f"{100 * self.most:g} % of --training.max-unreadable. Mend folder, mount or files and give the same "
                "command again, or leave them out by jobs/prepare_data.py:",
                [f"{path}: {why}" for path, why in self.examples.items()],
            )

    def tell(self) -> None:
        """A line in the log, where there are any."""
        if self.count:
            named = "; ".join(f"{path}: {why}" for path, why in list(self.examples.items())[:3])
            logger.warning("%d of %d %s rows could not be read, such as %s", self.count, self.drawn, self.split, named)
