"""Intervals of ratios, straight lines and growth exponents: small and tested, because every claim rests on them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 2000
COVERAGE = 0.95


@dataclass(frozen=True)
class Interval:
    """A median and its bootstrap interval; only `low` may be claimed."""

    median: float
    low: float
    high: float
    blocks: int

    def to_json(self) -> dict[str, float]:
        return {"median": self.median, "low": self.low, "high": self.high, "blocks": self.blocks}


def interval(values: Sequence[float], seed: int = 0) -> Interval:
    """The median of per-block values, and the percentile bootstrap interval of that median (Efron 1979).

    Of fewer than five blocks it is little more than their range; the report says how many there were.

    Raises:
        ValueError: when there is none, or one is not finite.
    """
    found = np.asarray(values, dtype=np.float64)
    if not found.size or not np.isfinite(found).all():
        raise ValueError(f"an interval needs finite values, got {list(values)}")
    draws = np.random.default_rng(seed).choice(found, (DRAWS, len(found)))
    edge = (1 - COVERAGE) / 2
    low, high = np.quantile(np.median(draws, axis=1), [edge, 1 - edge])
    return Interval(float(np.median(found)), float(low), float(high), len(found))


@dataclass(frozen=True)
class Line:
    """`T = fixed + each * n`: seconds to start and to end, and seconds an image."""

    fixed: float
    each: float

    def images_until_fixed_is(self, share: float) -> float:
        """How many images a run must have for its fixed part to be this share of it; infinite where nothing grows."""
        return max(self.fixed, 0.0) * (1 - share) / (share * self.each) if self.each > 0 else math.inf


def line(counts: Sequence[float], seconds: Sequence[float]) -> Line:
    """Least squares. Raises ValueError for fewer than two different counts."""
    if len(set(counts)) < 2:
        raise ValueError("a line needs two different counts")
    each, fixed = np.polyfit(np.asarray(counts, float), np.asarray(seconds, float), 1)
    return Line(float(fixed), float(each))


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """k of `cost ~ size ** k`, by least squares of the logarithms.

    Raises:
        ValueError: for fewer than two different sizes, or where something is not above 0.
    """
    if len(set(sizes)) < 2 or min(*sizes, *costs) <= 0:
        raise ValueError("an exponent needs two different sizes, and sizes and costs above 0")
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def marginal_costs(counts: Sequence[float], seconds: Sequence[float]) -> tuple[list[float], list[float]]:
    """Seconds above the smallest run's, by images above its: what the growth exponent is taken of.

    A run's fixed seconds, which every count has alike, would pull the exponent below 1.
    """
    least = min(range(len(counts)), key=lambda place: counts[place])
    others = [place for place in range(len(counts)) if counts[place] > counts[least]]
    return [counts[place] - counts[least] for place in others], [seconds[place] - seconds[least] for place in others]
