"""Learning rates over a task's phases: linear warm-up, then a cosine to the minimum (R11, R22, R34)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from meteo_ray.training.task import Phase


@dataclass(frozen=True)
class Position:
    """An epoch's place in the phases: which phase, and how many epochs of that phase are done."""

    phase: Phase
    epochs_done: int
    is_last_phase: bool


def total_epochs(phases: Sequence[Phase]) -> int:
    return sum(phase.epochs for phase in phases)


def locate(phases: Sequence[Phase], epoch: int) -> Position:
    """The phase that `epoch` (counted from 0 over all phases) belongs to. Raises IndexError past the end."""
    active = [phase for phase in phases if phase.epochs > 0]
    for number, phase in enumerate(active):
        if epoch < phase.epochs:
            return Position(phase, epoch, number == len(active) - 1)
        epoch -= phase.epochs
    raise IndexError("epoch lies past the last phase")


def learning_rate(phase: Phase, peak: float, epochs_done: float) -> float:
    """The rate of a group whose peak is `peak`, after `epochs_done` (fractional) epochs of the phase.

    Warm-up is linear over `phase.warmup_epochs`; then eta_min + (peak - eta_min) (1 + cos(pi t / T)) / 2 with t and T
    counted from the end of the warm-up.
    """
    if epochs_done < phase.warmup_epochs:
        return peak * epochs_done / phase.warmup_epochs
    rest = phase.epochs - phase.warmup_epochs
    done = min((epochs_done - phase.warmup_epochs) / rest, 1.0) if rest > 0 else 0.0
    low = min(phase.minimum_learning_rate, peak)
    return low + 0.5 * (peak - low) * (1 + math.cos(math.pi * done))
