"""In which order a set of labels becomes a sequence (R23)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LabelOrder:
    """Labels as positions in the vocabulary; `frequent_first` holds all of them, the commonest in training first."""

    frequent_first: tuple[int, ...]

    @classmethod
    def by_frequency(cls, counts: Sequence[int] | NDArray[np.int64]) -> "LabelOrder":
        """From the training rows of every label, `(labels,)`; equally frequent labels keep the vocabulary's order."""
        return cls(tuple(int(label) for label in np.argsort(-np.asarray(counts), kind="stable")))

    def sequence(self, labels: Iterable[int], max_labels: int, rng: np.random.Generator | None = None) -> list[int]:
        """The labels as a training target, at most `max_labels`: the commonest stay, because those can be learnt.

        Args:
            labels: positions in the vocabulary, each once.
            max_labels: longest sequence.
            rng: when given, the kept labels come in random order.
        """
        present = set(labels)
        kept = [label for label in self.frequent_first if label in present][:max_labels]
        return kept if rng is None else [int(label) for label in rng.permutation(kept)]
