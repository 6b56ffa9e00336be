"""How much more often rows with rare labels are drawn (Gupta, Dollár & Girshick 2019, "LVIS", repeat factor sampling).

    r(c) = max(1, sqrt(t / f(c)))      f(c): the share of the rows that show label c;  t: the share that is not rare
    r(i) = max over the labels c of row i of r(c)

The root lies half-way between drawing rows as they come and drawing all rare labels equally often. A row counts by its
rarest label, so common labels that keep rare ones company are drawn more often too.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meteo_ray.vocabulary import Vocabulary


def repeat_factors(shown: np.ndarray, weights: np.ndarray, rare_share: float) -> NDArray[np.float64]:
    """r of every row, `(rows,)`, 1 or more.

    Args:
        shown: `(rows, labels)` of 0 and 1.
        weights: `(rows,)`, how often each row is drawn anyhow: shares are those among the rows drawn.
        rare_share: t, below which a label is rare; 0: none is.
    """
    shares = weights @ shown / weights.sum()
    of_labels = np.sqrt(np.maximum(rare_share / np.maximum(shares, np.finfo(np.float64).tiny), 1.0))
    return np.where(shown > 0, of_labels, 1.0).max(axis=1, initial=1.0)


def drawing_weights(rows: pa.Table, vocabulary: Vocabulary, rare_share: float) -> NDArray[np.float64]:
    """How often each training row is drawn, `(rows,)`: by its `weight` and, unless `rare_share` is 0, its rarest
    element."""
    weights: NDArray[np.float64] = rows["weight"].to_numpy()
    if not rare_share:
        return weights
    shown = np.array([vocabulary.multi_hot(names) for names in rows["elements"].to_pylist()])
    return weights * repeat_factors(shown, weights, rare_share)
