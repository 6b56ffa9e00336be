"""Labels that a trained model doubts, for a labelling team to look at again; the data folder is not touched.

Confident learning (Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels",
equations 1 and 2): a label is doubted when the model prefers the other class, with at least the mean probability that
it gives that class where it is the given label. The model must not have learned from the judged rows: it is surer of
the training split than it should be, and so hides that split's errors.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from cleanlab.filter import find_label_issues

# Twenty lines of six pictures in the report: a sitting's work. Whoever corrects those and trains again gets the next.
MOST_LISTED = 120


def label_errors(rows: pa.Table, targets: np.ndarray, scores: np.ndarray, names: Sequence[str]) -> dict[str, Any]:
    """The given labels that the model doubts, the most doubted first.

    Args:
        rows: of the index, with image_id and path.
        targets: the given labels, bool `(n, labels)`.
        scores: the model's probabilities, `(n, labels)`; each label is judged on its own.
        names: one per label.

    Returns:
        label_errors_found: how many labels are doubted; label_errors: at most MOST_LISTED of them, each with image_id,
        path, label (a name), given (bool) and score (the probability that the label holds).
    """
    found = [(row, label) for label in range(len(names)) for row in doubted(targets[:, label], scores[:, label])]
    found.sort(key=lambda place: _confidence(bool(targets[place]), float(scores[place])))
    ids, paths = rows["image_id"].to_pylist(), rows["path"].to_pylist()
    listed = [
        {
            "image_id": ids[row],
            "path": paths[row],
            "label": names[label],
            "given": bool(targets[row, label]),
            "score": float(scores[row, label]),
        }
        for row, label in found[:MOST_LISTED]
    ]
    return {"label_errors_found": len(found), "label_errors": listed}


def doubted(given: np.ndarray, scores: np.ndarray) -> list[int]:
    """Positions of the rows whose yes or no the model doubts, the most doubted first; none where all say the same.

    Args:
        given: bool `(n,)`.
        scores: `(n,)`, the probability of yes.
    """
    if given.all() or not given.any():
        return []  # the mean probability of a class that nobody gave is not defined
    yes = np.asarray(scores, dtype=np.float64)
    positions = find_label_issues(
        given.astype(np.int64),
        np.stack([1 - yes, yes], axis=1),
        filter_by="confident_learning",
        return_indices_ranked_by="self_confidence",
        n_jobs=1,  # a pool of processes beside Ray's costs more than these few rows
    )
    return [int(position) for position in positions]


def _confidence(given: bool, score: float) -> float:
    """The model's probability of the given label."""
    return float(score if given else 1 - score)
