"""What charts show and what the element stage said of them, side by side: every measure of the stage starts here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from meteo_ray.judging.judge import Judged
from meteo_ray.vocabulary import element_ids


@dataclass(frozen=True)
class Answers:
    """What is right, the probability given to it and the threshold in force, each `(charts, labels)`.

    `names` `(labels,)` are the elements that the model knows; what came up after its training is left out.
    """

    names: Sequence[str]
    targets: NDArray[np.bool_]
    scores: NDArray[np.float32]
    thresholds: NDArray[np.float64]

    @classmethod
    def of(cls, judged: Judged, names: Sequence[str]) -> Self:
        columns = judged.columns
        targets = multi_hot(judged.rows["elements"].to_pylist(), names)
        return cls(names, targets, columns["element_scores"], columns["element_thresholds"])

    @property
    def called(self) -> NDArray[np.bool_]:
        """Which elements were named, `(charts, labels)`."""
        return np.asarray(self.scores.astype(np.float64) >= self.thresholds)


def multi_hot(rows: Iterable[Any], names: Sequence[str]) -> NDArray[np.bool_]:
    """Element lists (ids, or {"id", "score"}) -> bool `(rows, names)`; other elements are left out."""
    shown = [set(element_ids(row)) for row in rows]
    return np.array([[name in row for name in names] for row in shown], dtype=bool).reshape(len(shown), len(names))
