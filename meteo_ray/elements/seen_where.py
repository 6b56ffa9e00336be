"""A few charts with the place where the network sees one element each: right ones and false alarms."""

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meteo_ray.batch import Batch
from meteo_ray.elements.answers import Answers
from meteo_ray.elements.heat_map import overlaid
from meteo_ray.elements.predictor import ElementsPredictor
from meteo_ray.judging.judge import Judged
from meteo_ray.judging.stage_evaluation import Sheet

# Two lines and one of four pictures in the report; each picture costs a pass through the network.
RIGHT, WRONG = 8, 4

NOTE = (
    "Gradient-weighted class activation of the parallel head for one element of each chart, scaled to its hottest "
    "place. In a chart that stays grey nothing speaks for it: the sequence head, trees or text named it."
)


class Example(NamedTuple):
    """A chart and an element that was named for it, by position."""

    row: int
    label: int


def seen_where(
    answers: Answers, judged: Judged, predictor: ElementsPredictor, pixels: Callable[[Batch], Batch]
) -> Sheet:
    """Heat maps of at most RIGHT elements that are shown and WRONG that are not; see `heat_map`."""
    right, wrong = answers.targets & answers.called, answers.called & ~answers.targets
    chosen = [*examples(right, answers.scores, RIGHT), *examples(wrong, answers.scores, WRONG)]
    rows = np.array([example.row for example in chosen], dtype=np.int64)
    images = judged.pictures(rows, pixels)
    maps = predictor.heat_maps(images, [example.label for example in chosen])
    drawn = [overlaid(image, heat) for image, heat in zip(images, maps, strict=True)]
    texts = [_text(answers, example) for example in chosen]
    return Sheet("Where the network sees an element", NOTE, rows, drawn, texts)


def examples(cells: NDArray[np.bool_], scores: NDArray[np.float32], most: int) -> list[Example]:
    """Of each chart its best-scored cell among `cells` `(charts, labels)`; of at most `most` as many labels as can be.

    Labels take turns, each with its best-scored chart first.
    """
    best = np.where(cells, scores, -1).argmax(axis=1)
    found = [Example(int(row), int(best[row])) for row in np.flatnonzero(cells.any(axis=1))]
    found.sort(key=lambda example: -float(scores[example]))
    before, turns = Counter[int](), []
    for example in found:
        turns.append(before[example.label])
        before[example.label] += 1
    return [found[number] for number in np.argsort(turns, kind="stable")[:most]]


def _text(answers: Answers, example: Example) -> str:
    name, score = answers.names[example.label], answers.scores[example]
    return f"{name} {score:.2f}" if answers.targets[example] else f"{name} {score:.2f}: not shown"
