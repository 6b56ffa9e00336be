"""Which errors of a multi-label model go together: what is named in the place of what, missed or named together.

A row may miss several labels and name several wrong ones, so there is no confusion matrix as for one answer a row:
every pair of a missed and a wrongly named label on one row is counted as a confusion of the two.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Pairs of each kind that are worth a line.
MOST_PAIRS = 20

Bools = NDArray[np.bool_]


def error_pairs(targets: Bools, called: Bools, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The commonest pairs of errors on the same row, at most MOST_PAIRS of each kind, the commonest first.

    Args:
        targets: what is right, bool `(n, labels)`.
        called: what was answered, likewise.
        names: one per label.

    Returns:
        confused: missed, named (instead), rows, and missed_rows, all that miss the first;
        missed_together and named_together: labels [first, second], rows.
    """
    missed, named = errors(targets, called)
    misses = missed.sum(axis=0)
    return {
        "confused": [
            {"missed": names[a], "named": names[b], "rows": rows, "missed_rows": int(misses[a])}
            for a, b, rows in _commonest(together(missed, named))
        ],
        "missed_together": _unordered(missed, names),
        "named_together": _unordered(named, names),
    }


def errors(targets: Bools, called: Bools) -> tuple[Bools, Bools]:
    """Which labels each row misses and which it names wrongly, bool `(n, labels)` each."""
    return targets & ~called, called & ~targets


def together(first: Bools, second: Bools) -> NDArray[np.int64]:
    """In how many rows label a of `first` and label b of `second` hold, `(labels, labels)`."""
    return np.asarray(first.astype(np.int64).T @ second.astype(np.int64))


def _unordered(wrong: Bools, names: Sequence[str]) -> list[dict[str, Any]]:
    pairs = _commonest(np.triu(together(wrong, wrong), k=1))
    return [{"labels": [names[a], names[b]], "rows": rows} for a, b, rows in pairs]


def _commonest(counts: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Line, column and count of the largest cells above 0; among equals the first ones."""
    order = np.argsort(-counts, axis=None, kind="stable")[:MOST_PAIRS]
    places = zip(*np.unravel_index(order, counts.shape), strict=True)
    return [(int(a), int(b), int(counts[a, b])) for a, b in places if counts[a, b]]
