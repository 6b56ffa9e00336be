"""What the element stage would say of a chart that it has not learnt from, drawn for charts that it has.

Its answers on its own training charts are surer than those on an archive's. So the product stage, which learns from the
same charts, is shown draws instead: for each element the answer on a random validation chart that shows it too, or
does not either. Elements are drawn apart, which makes errors independent that on real charts go together a little.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# An element with fewer validation charts of a kind draws from those of all elements.
LEAST_CHARTS = 5


@dataclass(frozen=True)
class DetectedScores:
    """By element, and by whether a chart shows it: scores and whether they were above the threshold, float32 `(n, 2)`.

    `answers[1]` is of those that show the element, `answers[0]` of those that do not; `pooled` of all elements.
    """

    element_ids: tuple[str, ...]
    answers: tuple[tuple[Floats, ...], tuple[Floats, ...]]
    pooled: tuple[Floats, Floats]

    @classmethod
    def fit(
        cls, element_ids: Sequence[str], scores: np.ndarray, named: NDArray[np.bool_], shown: NDArray[np.bool_]
    ) -> Self | None:
        """From validation charts: scores, which were above their threshold, and what is right, `(rows, elements)` each.

        None unless some element is shown by a chart, and some is not.
        """
        if not shown.any() or shown.all():
            return None
        every = np.stack([scores, named], axis=-1).astype(np.float32)
        by_kind = [tuple(every[shown[:, k] == kind, k] for k in range(len(element_ids))) for kind in (False, True)]
        return cls(tuple(element_ids), (by_kind[0], by_kind[1]), (every[~shown], every[shown]))

    def draw(self, elements: Collection[str], rng: np.random.Generator) -> tuple[Floats, list[str]]:
        """Scores `(elements,)` for a chart that shows `elements`, and the ids that are named, the likeliest first."""
        found = np.empty((len(self.element_ids), 2), dtype=np.float32)
        for place, element_id in enumerate(self.element_ids):
            kind = int(element_id in elements)
            answers = self.answers[kind][place]
            answers = answers if len(answers) >= LEAST_CHARTS else self.pooled[kind]
            found[place] = answers[rng.integers(len(answers))]
        scores, named = found[:, 0], found[:, 1] > 0
        best_first = np.argsort(-scores, kind="stable")
        return scores, [self.element_ids[place] for place in best_first if named[place]]
