"""Finds the image that kills the process which judges it: batches are remembered while they are in hand.

Ray restarts a dead actor and gives it the same batch again. What it was busy with when it died is known here, outside
of it; such a batch is tried once more whole, then in halves, until the guilty image stands alone.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

from meteo_ray.errors import MachineFault

Row = TypeVar("Row")

# A batch may die once through no fault of its own: a node that went, a process that an operator killed. Its halves have
# come under suspicion already; a single image is condemned by the second death that it alone can explain.
WHOLE_DEATHS, HALF_DEATHS, SINGLE_DEATHS = 2, 1, 2

# Deaths of one run of the job until it stops, resumably: nine find one image among 64, so about seven images can be
# found; more is no poison but a defect.
DEATHS_ALLOWED = 64


class Suspects(Protocol):
    """What judges tell."""

    def begin(self, batch: str, whole: bool) -> tuple[int, int]:
        """Before a batch or a part of one: how often it was begun and never ended, and the deaths of the whole run."""
        ...

    def end(self, batch: str) -> None:
        """After a batch that did no harm. The guilty ones stay known, should the process die of another."""
        ...


class SuspectList:
    """The batches in hand, and those during which a process died."""

    def __init__(self) -> None:
        self._begun: dict[str, int] = {}
        self._deaths = 0

    def begin(self, batch: str, whole: bool) -> tuple[int, int]:
        earlier = self._begun.get(batch, 0)
        self._deaths += whole and earlier > 0  # of a part as well, its batch having been begun anew before it
        self._begun[batch] = earlier + 1
        return earlier, self._deaths

    def end(self, batch: str) -> None:
        self._begun.pop(batch, None)


@contextmanager
def carefully_read(names: Sequence[str], suspects: Suspects) -> Iterator[None]:
    """While a batch of images whose ids are `names` is read; nothing but a defect kills a process that only reads.

    Raises:
        MachineFault: when processes die without end.
    """
    batch = "read " + batch_name(names)
    _begin(suspects, batch, whole=True)
    yield
    suspects.end(batch)


def judge_carefully(
    rows: Sequence[Row],
    names: Sequence[str],
    judge: Callable[[Sequence[Row]], None],
    condemn: Callable[[Row], None],
    suspects: Suspects,
    suspected: bool = False,
) -> None:
    """Judge a batch of rows, whose image ids are `names`; an image of which processes die is condemned instead.

    Raises:
        MachineFault: when processes die without end.
    """
    if not rows:
        return
    batch = batch_name(names)
    earlier = _begin(suspects, batch, not suspected)
    if earlier < (SINGLE_DEATHS if len(rows) == 1 else HALF_DEATHS if suspected else WHOLE_DEATHS):
        judge(rows)
        suspects.end(batch)
    elif len(rows) == 1:
        condemn(rows[0])
    else:
        middle = len(rows) // 2
        for half in (slice(None, middle), slice(middle, None)):
            judge_carefully(rows[half], names[half], judge, condemn, suspects, suspected=True)


def batch_name(names: Sequence[str]) -> str:
    """A short name for a batch of images, the same whenever it comes."""
    return hashlib.sha256(" ".join(names).encode()).hexdigest()


def _begin(suspects: Suspects, batch: str, whole: bool) -> int:
    earlier, deaths = suspects.begin(batch, whole)
    if deaths > DEATHS_ALLOWED:
        raise MachineFault(
            f"processes that read or judge images died {deaths} times; their logs stand in Ray's session folder. Mend "
            f"it and run again with --resume"
        )
    return earlier
