"""In which order a set of labels becomes a sequence, and how long the decoder is led by the hand (R23)."""

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


def teacher_forcing(fraction: float, start: float = 1.0, end: float = 0.7) -> float:
    """Probability of feeding the true label when `fraction` of the training is done: linear from start to end."""
    return max(end, start - (start - end) * fraction)


def class_weights(counts: NDArray[np.int64], limit: float) -> NDArray[np.float32]:
    """Inverse-frequency weights of the labels, `(labels,)`, relative to the mean count (R21).

    Weights stay within [1/limit, limit]: a label seen once in ten thousand rows must not outweigh all others. Labels
    never seen get `limit`, which has no effect as no row shows them.
    """
    seen = counts[counts > 0]
    mean = seen.mean() if len(seen) else 1.0
    return np.clip(mean / np.maximum(counts, 1e-9), 1 / limit, limit).astype(np.float32)
