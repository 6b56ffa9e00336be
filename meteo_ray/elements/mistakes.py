"""The charts on which the element stage errs most: what it missed on each, and what it named wrongly."""

import numpy as np
from numpy.typing import NDArray

from meteo_ray.elements.answers import Answers
from meteo_ray.elements.calibration import EDGE
from meteo_ray.judging.stage_evaluation import Mistakes
from meteo_ray.metrics.error_pairs import errors


def worst_charts(answers: Answers) -> list[Mistakes]:
    """Charts with missed elements and charts with false alarms, those whose errors cost the most first.

    The cost is the cross-entropy of the wrong cells alone: it grows with their number and with how sure the model was.
    """
    missed, named = errors(answers.targets, answers.called)
    certain = np.clip(answers.scores.astype(np.float64), EDGE, 1 - EDGE)
    details = [_detail(answers, *row) for row in zip(missed, named, strict=True)]
    return [
        _kind("Charts with missed elements", "loss of the misses", missed, -np.log(certain), details),
        _kind("Charts with false alarms", "loss of the false alarms", named, -np.log1p(-certain), details),
    ]


def _kind(title: str, score: str, wrong: NDArray[np.bool_], costs: NDArray[np.float64], details: list[str]) -> Mistakes:
    losses = np.where(wrong, costs, 0).sum(axis=1)
    members = np.flatnonzero(wrong.any(axis=1))
    worst = members[np.argsort(-losses[members], kind="stable")]
    return Mistakes(title, score, worst, losses[worst], [details[row] for row in worst])


def _detail(answers: Answers, missed: NDArray[np.bool_], named: NDArray[np.bool_]) -> str:
    """A line for what a chart shows and was missed, one for what was named and is not there."""
    parts = (("missed", missed), ("named", named))
    lines = [
        f"{verb} {', '.join(answers.names[label] for label in np.flatnonzero(which))}"
        for verb, which in parts
        if which.any()
    ]
    return "\n".join(lines)
