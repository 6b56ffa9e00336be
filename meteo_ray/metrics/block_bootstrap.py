"""Intervals of differences between two forecasts of the same days.

Errors of neighbouring days go together, so blocks of days are drawn and not days (Kuensch 1989; circular, Politis &
Romano 1992), the same blocks for both forecasts: the difference of paired losses varies far less than either.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 10
"""Days: by then the anomalies of daily temperature are nearly independent."""


@dataclass(frozen=True)
class Compared:
    """How much lower a forecast's mean loss is than its rival's, as a share: 1 - loss / rival's loss.

    `low` and `high` bound the middle 95 %; both are None where the days make no two blocks.
    """

    skill: float
    low: float | None
    high: float | None
    days: int


def paired_skill(
    losses: NDArray[np.float64],
    rival: NDArray[np.float64],
    seed: int = 0,
    block: int = BLOCK,
    rounds: int = 2000,
    level: float = 0.95,
) -> Compared | None:
    """Skill of a forecast against a rival, with its interval; None where they share no day or the rival has no error.

    Less than two blocks of days give no interval: of a single block every draw is the whole sample, and the interval
    would be a point that passes for certainty.

    Args:
        losses: of every day in order, `(days,)` or `(days, more)`; days without one are NaN, and left out of both.
        rival: likewise, of the same days.
        seed: of the draws.
        block: days drawn together.
        rounds: how many draws.
        level: of the interval.
    """
    first = losses.reshape(len(losses), -1)
    second = rival.reshape(len(rival), -1)
    there = np.isfinite(first) & np.isfinite(second)
    sums = np.stack([np.where(there, first, 0).sum(1), np.where(there, second, 0).sum(1)], axis=1)
    sums = sums[there.any(axis=1)]
    days = len(sums)
    if not days or not sums[:, 1].sum():
        return None
    skill = float(1 - sums[:, 0].sum() / sums[:, 1].sum())
    if days < 2 * block:
        return Compared(skill, None, None, days)
    rng = np.random.default_rng([seed, days])
    starts = rng.integers(days, size=(rounds, -(-days // block)))
    drawn = ((starts[:, :, None] + np.arange(block)) % days).reshape(rounds, -1)[:, :days]
    totals = sums[drawn].sum(axis=1)
    draws = 1 - totals[:, 0] / np.maximum(totals[:, 1], 1e-12)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Compared(skill, float(low), float(high), days)


def shown(found: Mapping[str, Any] | None, digits: int = 1) -> str:
    """A `Compared` as a dictionary, in per cent: `+1.9 % [-0.8, +5.2]` or `+1.9 % [too few]`; empty without one."""
    if found is None or not np.isfinite(found["skill"]):
        return ""
    low, high = found["low"], found["high"]
    interval = "too few" if low is None or high is None else f"{100 * low:+.{digits}f}, {100 * high:+.{digits}f}"
    return f"{100 * found['skill']:+.{digits}f} % [{interval}]"
