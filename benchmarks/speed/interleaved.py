"""Contenders that take turns: A B C C B A in every block, so that a slow minute of the machine falls on all alike.

A turn is a small run over a folder and a large one. What is compared is the marginal cost of an image, `(T(large) -
T(small)) / (large - small)`: starting and ending is a cost of its own, reported beside. The ratio of two contenders is
taken block by block, and its bootstrap interval over the blocks is what may be claimed (only its lower end). One
contender stands there twice: the interval of its ratio to itself must hold 1, or the machine was too restless to say
anything.
"""

import logging
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.speed.arithmetic import Interval, interval
from benchmarks.speed.sessions import Run, Session

logger = logging.getLogger("benchmarks")

# A block counts when others used less than this share of the machine in its mean; declared before anything is measured.
FOREIGN_SHARE = 0.1

# Images of a small run: more than are read while the models load. With fewer, a large run's further images are read in
# that time for nothing: with 64 the job seemed to take less than its bare work.
SMALL = 256
# A large run is at least twice a small one, and a multiple of it, so that folders are shared.
LEAST_LARGE = 512


class Restless(RuntimeError):
    """The machine was so busy that more images took no longer: there is nothing to report."""


def each_image(few: Run, many: Run) -> float:
    """Marginal seconds of an image. Raises Restless where they are not above 0."""
    each = (many.seconds - few.seconds) / (many.images - few.images)
    if each <= 0:
        found = f"{many.images} images took {many.seconds:.1f} s and {few.images} took {few.seconds:.1f} s"
        raise Restless(f"{found}: measure again while nothing else runs")
    return each


def foreign_share(runs: Sequence[Run]) -> float:
    """The share of the machine that others used, the mean of some runs."""
    return mean(run.foreign_cores for run in runs) / (os.cpu_count() or 1)


@dataclass(frozen=True)
class Contender:
    """Someone who takes part; `again` marks the second place of one that stands there twice."""

    name: str
    session: Session
    again: bool = False

    @property
    def label(self) -> str:
        return f"{self.name} again" if self.again else self.name


@dataclass
class Turns:
    """What the blocks found: by label, seconds and CPU seconds of an image and the fixed seconds, one value a block;
    the images of its large runs; and the share of the machine that others used in each block."""

    images: dict[str, int]
    each_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    each_cpu_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    fixed_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    foreign: list[float] = field(default_factory=list)
    dropped: int = 0  # blocks in which more images took no longer

    def counted(self) -> list[int]:
        """The blocks in which the machine was left alone; all where there are none, which the report says."""
        quiet = [number for number, share in enumerate(self.foreign) if share <= FOREIGN_SHARE]
        return quiet or list(range(len(self.foreign)))

    def ratio(self, other: str, to: str) -> Interval:
        """How many times as long `other` takes for an image as `to`."""
        return interval([self.each_s[other][block] / self.each_s[to][block] for block in self.counted()])

    def value(self, values: dict[str, list[float]], label: str) -> float:
        """The median of the counted blocks."""
        return interval([values[label][block] for block in self.counted()]).median

    def to_json(self) -> dict[str, Any]:
        return {
            "images": self.images,
            "foreign_share": self.foreign,
            "dropped_blocks": self.dropped,
            "quiet": all(self.foreign[block] <= FOREIGN_SHARE for block in self.counted()),
            "contenders": {
                label: {
                    "each_ms": 1e3 * self.value(self.each_s, label),
                    "each_cpu_ms": 1e3 * self.value(self.each_cpu_s, label),
                    "fixed_s": self.value(self.fixed_s, label),
                    "images_per_second": 1 / self.value(self.each_s, label),
                    "blocks_ms": [1e3 * value for value in self.each_s[label]],
                }
                for label in self.each_s
            },
        }


def take_turns(
    contenders: Sequence[Contender], folder: Callable[[int], Path], blocks: int, seconds: float, most: int
) -> Turns:
    """Measure `blocks` blocks of turns of about `seconds` each; `folder(count)` gives the files, at most `most`."""
    images = {one.label: _large_enough(one, folder, seconds, most) for one in contenders if not one.again}
    images |= {one.label: images[one.name] for one in contenders if one.again}
    turns = Turns(images)
    for number in range(blocks):
        try:
            _block(turns, contenders, folder)
        except Restless as restless:
            logger.warning("block %d of %d is dropped: %s", number + 1, blocks, restless)
            turns.dropped += 1
            continue
        logger.info("block %d of %d: others used %.0f %% of the machine", number + 1, blocks, 100 * turns.foreign[-1])
    if not turns.foreign:
        raise Restless("no block could be measured: measure again while nothing else runs")
    return turns


def _large_enough(one: Contender, folder: Callable[[int], Path], seconds: float, most: int) -> int:
    """How many images take about so long, by a first look that also warms up."""
    one.session.run(folder(SMALL))
    few, more = one.session.run(folder(SMALL)), one.session.run(folder(LEAST_LARGE))
    each = max(more.seconds - few.seconds, 0.02 * few.seconds) / (LEAST_LARGE - SMALL)
    wanted = SMALL * round(seconds / each / SMALL)
    return SMALL + max(LEAST_LARGE - SMALL, min(wanted, most - SMALL))


def _block(turns: Turns, contenders: Sequence[Contender], folder: Callable[[int], Path]) -> None:
    """There and back again."""
    pairs: dict[str, list[tuple[Run, Run]]] = {one.label: [] for one in contenders}
    for one in (*contenders, *reversed(contenders)):
        pairs[one.label].append(_turn(one, folder, turns.images[one.label]))
    for label, runs in pairs.items():
        more = turns.images[label] - SMALL
        each = mean(each_image(small, large) for small, large in runs)
        turns.each_s[label].append(each)
        turns.each_cpu_s[label].append(mean(large.cpu_s - small.cpu_s for small, large in runs) / more)
        turns.fixed_s[label].append(mean(small.seconds for small, _ in runs) - SMALL * each)
    turns.foreign.append(foreign_share([run for runs in pairs.values() for pair in runs for run in pair]))


def _turn(one: Contender, folder: Callable[[int], Path], images: int) -> tuple[Run, Run]:
    """A small run and a large one. What comes first does not count: small runs of one session took 5.8 to 7.6 s, by
    what ran before them.
    """
    one.session.run(folder(SMALL))
    return one.session.run(folder(SMALL)), one.session.run(folder(images))
